from __future__ import annotations

import re

import pytest

from pyimgano_industrial.models.prompts import ANOMALOUS_STATES, NORMAL_STATES, TEMPLATES, PromptError, prompts_of


def test_the_ensemble_is_every_state_in_every_template() -> None:
    prompts = prompts_of("metal nut", None)
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 22
    assert len(prompts.normal) == len(NORMAL_STATES) * 22
    assert len(prompts.classes[1]) == len(ANOMALOUS_STATES) * 22
    assert "a photo of a flawless metal nut." in prompts.normal
    assert "a close-up photo of the metal nut with a scratch." in prompts.classes[1]
    assert not [one for group in prompts.classes for one in group if "{" in one]


def test_own_prompts_may_name_several_kinds_of_defect() -> None:
    own = {"dent": ["a dented {}", "a bent tray"], "normal": ["a good {}"], "scratch": ["a scratched {}"]}
    prompts = prompts_of("lid", own)
    assert prompts.names == ("normal", "dent", "scratch")
    assert prompts.classes == (("a good lid",), ("a dented lid", "a bent tray"), ("a scratched lid",))


def test_the_digest_tells_prompts_apart() -> None:
    assert prompts_of("lid", None).digest == prompts_of("lid", None).digest != prompts_of("can", None).digest


@pytest.mark.parametrize(
    ("class_name", "own", "said"),
    [
        ("  ", None, "class_name must say what the part is"),
        ("lid", {"normal": ["a {}"]}, "got the classes 'normal'"),
        ("lid", {"scratch": ["a {}"], "dent": ["b"]}, "sentences of the class 'normal'"),
        ("lid", {}, "got the classes none"),
        ("lid", {"normal": ["a {}"], "dent": []}, "text_prompts['dent'] must hold at least one sentence"),
        ("lid", {"normal": ["a {}"], "dent": [" "]}, "none empty"),
        ("lid", {"normal": "a {}", "dent": ["b"]}, "text_prompts['normal'] must be a list of sentences"),
        ("lid", ["a {}"], "text_prompts must map classes to lists"),
        ("", {"normal": ["a {}"], "dent": ["b"]}, "got an empty name"),
    ],
)
def test_prompts_that_cannot_work_are_errors(class_name: str, own: dict[str, list[str]] | None, said: str) -> None:
    with pytest.raises(PromptError, match=re.escape(said)):
        prompts_of(class_name, own)
