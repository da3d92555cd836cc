"""What needs no torch of the OpenCLIP detectors: rows, signatures, settings and the error without the extra."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distributions import python
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.clip_settings import ClipError, WeightsError

NAMES = ("vision_openclip_batch", "vision_openclip_few_shot", "vision_openclip_prompt_patch")
DETECTORS = (OpenCLIPPromptPatch, OpenCLIPFewShot, OpenCLIPBatch)


def test_the_host_lists_the_models_as_pixel_map_models_without_importing_torch() -> None:
    shown = python(
        "import json, sys; sys.modules['torch'] = sys.modules['open_clip'] = None\n"
        "from pyimgano.models import list_models; from pyimgano.models.registry import MODEL_REGISTRY as registry\n"
        "names = [name for name in list_models(tags=['pixel_map', 'clip']) if name.startswith('vision_openclip')]\n"
        "print(json.dumps([names, registry.model_info('vision_openclip_few_shot')], default=str))"
    )
    names, info = json.loads(shown)
    assert set(NAMES) <= set(names)
    assert "rotations" in json.dumps(info)


def test_without_the_extra_the_error_names_the_command() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['open_clip'] = None\n"
        "from pyimgano.models import create_model\n"
        f"for name in {NAMES!r}:\n"
        "    try: create_model(name)\n"
        "    except ImportError as error: print(error)"
    )
    lines = python(code).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert "'torch', which is not installed" in line
        assert 'pip install "pyimgano-industrial[clip]"' in line


@pytest.mark.parametrize("detector", DETECTORS)
def test_every_option_is_a_keyword_with_a_default(detector: type) -> None:
    for name, parameter in inspect.signature(detector).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, name
        assert parameter.default is not inspect.Parameter.empty, name


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: OpenCLIPPromptPatch(method="wincip"), UnknownNameError, "method must be one of dual, winclip; got"),
        (lambda: OpenCLIPPromptPatch(resizing="crop"), UnknownNameError, "resizing must be one of auto, interpolate"),
        (lambda: OpenCLIPPromptPatch(precision="int8"), UnknownNameError, "precision must be one of fp32, bf16, fp16"),
        (lambda: OpenCLIPPromptPatch(batch_size=0), ClipError, "batch_size must be 1 or more; got 0"),
        (lambda: OpenCLIPPromptPatch(contamination=1.0), ClipError, "contamination must be between 0 and 1"),
        (lambda: OpenCLIPPromptPatch(checkpoint_path="no.safetensors"), WeightsError, "no.safetensors is not"),
        (lambda: OpenCLIPFewShot(tokenizer_path="no/folder"), WeightsError, "tokenizer_path must be there"),
        (lambda: OpenCLIPFewShot(neighbours=0), ClipError, "neighbours must be 1 or more"),
        (lambda: OpenCLIPBatch(references=1), ClipError, "references must be 2 or more"),
    ],
)
def test_settings_that_cannot_work_are_errors(make: Callable[[], Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        make()


def test_no_default_reads_a_file() -> None:
    for detector in DETECTORS:
        parameters = inspect.signature(detector).parameters
        assert parameters["checkpoint_path"].default is None
        assert not Path(str(parameters["openclip_pretrained"].default)).exists()
