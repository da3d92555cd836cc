"""The sentences that zero-shot models compare an image with: states of a part, put into templates of photographs.

The compositional ensemble of WinCLIP (Jeong et al., CVPR 2023, arXiv 2303.14814): every state of the part in every
template, good states against bad ones. The lists here are this package's own wording of that idea.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyimgano_industrial.core.errors import IndustrialError

NORMAL = "normal"

NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
ANOMALOUS_STATES = (
    "damaged {}",
    "broken {}",
    "{} with flaw",
    "{} with defect",
    "{} with damage",
    "{} with a scratch",
    "{} with a crack",
    "{} with contamination",
)
TEMPLATES = tuple(
    f"a {kind} of {article} {{}}{purpose}."
    for kind, articles, purpose in (
        ("photo", ("a", "the"), ""),
        ("cropped photo", ("a", "the"), ""),
        ("close-up photo", ("a", "the"), ""),
        ("bright photo", ("a", "the"), ""),
        ("dark photo", ("a", "the"), ""),
        ("blurry photo", ("a", "the"), ""),
        ("JPEG-corrupted photo", ("a", "the"), ""),
        ("photo", ("a small", "the small"), ""),
        ("photo", ("a large", "the large"), ""),
        ("photo", ("a", "the"), " for visual inspection"),
        ("photo", ("a", "the"), " for anomaly detection"),
    )
    for article in articles
)


class PromptError(IndustrialError, ValueError):
    """A class name or a set of prompts that cannot be used."""


@dataclass(frozen=True)
class Prompts:
    """Sentences by class: the good part's, and those of one or more kinds of defect.

    normal: sentences of a good part. anomalous: name of a kind of defect -> its sentences; one kind or more.
    """

    normal: tuple[str, ...]
    anomalous: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """The sentences of each class, the good part's first."""
        return (self.normal, *(sentences for _, sentences in self.anomalous))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, "normal" first."""
        return (NORMAL, *(name for name, _ in self.anomalous))

    @property
    def digest(self) -> str:
        """A name for exactly these sentences, for caches."""
        return hashlib.sha256(json.dumps([self.normal, self.anomalous]).encode()).hexdigest()


def compose(
    class_name: str = "object",
    *,
    normal_states: Sequence[str] = NORMAL_STATES,
    anomalous_states: Sequence[str] = ANOMALOUS_STATES,
    templates: Sequence[str] = TEMPLATES,
) -> Prompts:
    """Return the ensemble for a part: every state in every template; both have one {} each.

    Raises PromptError for an empty class name.

    >>> prompts = compose("gear", normal_states=["{}"], anomalous_states=["bent {}"], templates=["a photo of a {}."])
    >>> prompts.classes
    (('a photo of a gear.',), ('a photo of a bent gear.',))
    """
    return Prompts(
        _sentences(normal_states, templates, class_name),
        (("anomaly", _sentences(anomalous_states, templates, class_name)),),
    )


def prompts_of(class_name: str, own: Mapping[str, Sequence[str]] | None) -> Prompts:
    """Return the prompts of a detector: the ensemble, or the user's own sentences.

    own: class -> sentences, each with at most one {} for the class name; "normal" is the good part, every other class
    is a kind of defect. Raises PromptError when a class is missing or empty.
    """
    if own is None:
        return compose(class_name)
    if isinstance(own, str) or not isinstance(own, Mapping):
        raise PromptError(
            f"text_prompts must map classes to lists of sentences, such as "
            f"{{'normal': ['a photo of a good {{}}'], 'scratch': ['a photo of a scratched {{}}']}}; got {own!r}"
        )
    if NORMAL not in own or len(own) < 2:
        raise PromptError(
            f"text_prompts must have sentences of the class 'normal' and of at least one kind of defect; "
            f"got the classes {', '.join(map(repr, own)) or 'none'}: one class cannot be told from nothing"
        )
    filled = {name: tuple(_filled(sentence, class_name) for sentence in _listed(own, name)) for name in own}
    return Prompts(filled[NORMAL], tuple((name, filled[name]) for name in own if name != NORMAL))


def _listed(own: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    sentences = own[name]
    if isinstance(sentences, str):
        raise PromptError(f"text_prompts[{name!r}] must be a list of sentences; got the string {sentences!r}")
    if not sentences or not all(isinstance(one, str) and one.strip() for one in sentences):
        raise PromptError(
            f"text_prompts[{name!r}] must hold at least one sentence, none empty; got {list(sentences)!r}"
        )
    return sentences


def _sentences(states: Sequence[str], templates: Sequence[str], class_name: str) -> tuple[str, ...]:
    return tuple(_filled(template, _filled(state, class_name)) for state in states for template in templates)


def _filled(sentence: str, class_name: str) -> str:
    if not class_name.strip():
        raise PromptError("class_name must say what the part is, such as 'metal nut'; got an empty name")
    return sentence.replace("{}", class_name.strip())
