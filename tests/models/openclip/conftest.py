"""These tests need torch and open_clip; tox -e clip brings them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = [] if find_spec("open_clip") else ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def _models() -> None:
    from models.openclip.tiny import register

    register()


@pytest.fixture(scope="session")
def siglip_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real tokenizer of the words in the prompts, as a folder that transformers reads."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    from pyimgano_industrial.models.prompts import prompts_of

    sentences = " ".join(one for group in prompts_of("gear", None).classes for one in group)
    words = ["<pad>", "<unk>", *sorted(set(re.findall(r"\w+", sentences)))]
    plain = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("tokenizer")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyimgano_industrial.models.text_cache import forget

    monkeypatch.setenv("PYIMGANO_INDUSTRIAL_CACHE", str(tmp_path / "cache"))
    forget()


@pytest.fixture(autouse=True)
def _random_weights() -> Iterator[None]:
    """Random weights warn; all of these tests use them."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has random weights")
        yield


@pytest.fixture
def scaled() -> Callable[..., Any]:
    """Return a function that loads a tiny model and sets a logit scale that is not 1 / 0.07."""
    from pyimgano_industrial.models.clip_settings import ClipSettings
    from pyimgano_industrial.models.openclip.engine import Engine

    def load(name: str, **more: Any) -> Engine:
        engine = Engine(ClipSettings(name, **more))
        engine.logit_scale = 40.0
        return engine

    return load
