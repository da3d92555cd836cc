"""Models of plugins in the host's registry, and host names that a plugin takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributions import Distribution, build_wheels, pip, python, run, script

HOOKS = """
from pyimgano_industrial import Entry, hookimpl

@hookimpl
def pyimgano_models():
    return [
        Entry("vision_ecod", "takeover_model:Ours", "Ours", tags=("vision",), replaces=True),
        Entry("vision_knn", "takeover_model:Ours", "Clashes with the host's"),
    ]

@hookimpl
def pyimgano_wrappers():
    return [Entry("takeover_negated", "takeover_model:Negated", "Turns scores round")]
"""
MODEL = """
class Ours:
    def __init__(self, *, contamination=0.1, sharpness=3):
        self.sharpness = sharpness

class Negated:
    def __init__(self, *, detector):
        self.detector = detector
    def decision_function(self, images):
        return [-score for score in self.detector.decision_function(images)]
"""
TAKEOVER = Distribution(
    "takeover",
    {"takeover_hooks": HOOKS, "takeover_model": MODEL},
    {"pyimgano.models": {"takeover": "takeover_hooks"}, "pyimgano.wrappers": {"takeover": "takeover_hooks"}},
)


@pytest.fixture(scope="module")
def takeover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takeover")
    wheel = build_wheels([TAKEOVER], folder)["takeover"]
    pip("install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel))
    return folder / "site"


def test_a_replaced_host_model_stays_replaced_when_the_host_module_is_imported_later(takeover: Path) -> None:
    code = (
        "from pyimgano.models import create_model\n"
        "assert type(create_model('vision_ecod')).__module__ == 'takeover_model'\n"
        "import pyimgano.models.ecod\n"
        "import pyimgano.models as m; m.load_all_models()\n"
        "print(type(create_model('vision_ecod', sharpness=5)).__module__, create_model('vision_ecod').sharpness)"
    )
    assert python(code, path=takeover).split() == ["takeover_model", "3"]


def test_a_row_that_does_not_replace_leaves_the_host_s_model_in_place(takeover: Path) -> None:
    code = "from pyimgano.models import create_model; print(type(create_model('vision_knn')).__module__)"
    done = run(script("python"), "-c", code, path=takeover)
    assert done.stdout.startswith("pyimgano.models")
    assert "model 'vision_knn' of takeover 1.0 is left out: pyimgano has a model of that name" in done.stderr


def test_the_host_sees_the_true_signature_of_a_lazy_model(takeover: Path) -> None:
    done = run(script("pyimgano-benchmark"), "--model-info", "vision_ecod", path=takeover)
    assert "sharpness" in done.stdout


def test_no_host_model_is_lost() -> None:
    code = "from pyimgano.models import list_models; print('\\n'.join(list_models()))"
    bare = python(code, env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}).split()
    assert len(bare) == 285
    assert set(bare) <= set(python(code).split())


def test_a_wrapper_is_created_around_a_detector(takeover: Path) -> None:
    code = (
        "from pyimgano.models import create_model, list_models\n"
        "class Fixed:\n"
        "    def decision_function(self, images): return [2.0 for _ in images]\n"
        "print(create_model('takeover_negated', detector=Fixed()).decision_function(['x']),\n"
        "      'takeover_negated' in list_models(tags=['wrapper']))"
    )
    assert python(code, path=takeover).strip() == "[-2.0] True"
