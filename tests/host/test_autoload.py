"""The start-up shim and the finder: silent, idempotent, switchable, and gone without the host."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distributions import python, run, script

OFF = {"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}
STATES = """
from pyimgano_industrial.host import seams
import importlib
missing = []
for seam in seams.SEAMS:
    try:
        importlib.import_module(seam.module)
    except ImportError as error:
        assert (error.name or "").startswith("torch") or "'torch'" in str(error), error
        missing.append(seam)
print(*sorted({state for seam, state in seams.states().items() if seam not in missing}))
"""


def test_every_seam_applies_to_the_installed_host() -> None:
    assert python(STATES).strip() == "applied"


def test_the_switch_gives_back_the_bare_host() -> None:
    assert python(STATES, env=OFF).strip() == "waiting"
    code = "import pyimgano.utils.datasets as d; print(d.BTADDataset.__module__)"
    assert python(code, env=OFF).strip() == "pyimgano.utils.datasets"
    assert python(code).strip() == "pyimgano_industrial.host.adapters"


def test_start_up_imports_nothing_of_ours_not_even_the_shim() -> None:
    code = "import sys; print([m for m in sys.modules if 'pyimgano' in m], sys.meta_path[0].__name__)"
    assert python(code).strip() == "[] PyimganoAutoload"


def test_importing_the_models_loads_no_heavy_library_that_the_bare_host_does_not() -> None:
    code = "import sys, pyimgano.models; print(*sys.modules)"
    bare, ours = set(python(code, env=OFF).split()), set(python(code).split())
    heavy = {"torch", "torchvision", "cv2", "open_clip", "anomalib", "sklearn"}
    assert (ours - bare) & heavy == set()


def test_seams_are_applied_once_however_often_load_is_called() -> None:
    code = (
        "import pyimgano_industrial, sys\n"
        "pyimgano_industrial.load(); pyimgano_industrial.load()\n"
        "import pyimgano.cli\n"
        "pyimgano_industrial.load()\n"
        "print(sum(type(f).__name__ == 'HostFinder' for f in sys.meta_path))\n"
        "choices = next(a.choices for a in pyimgano.cli._build_parser()._actions if a.dest == 'dataset')\n"
        "print(len(choices) - len(set(choices)))"
    )
    assert python(code).split() == ["1", "0"]


def test_load_reaches_modules_that_were_imported_before() -> None:
    code = (
        "import pyimgano.datasets, pyimgano.pipelines.mvtec_visa as early\n"
        "import pyimgano_industrial; pyimgano_industrial.load()\n"
        "import pyimgano.datasets.benchmarks as late\n"
        "print(early.load_dataset is late.load_dataset, early.load_dataset.__wrapped__.__module__,\n"
        "      pyimgano.datasets.BTADDataset.__module__)"
    )
    assert python(code, env=OFF).split() == ["True", "pyimgano.utils.datasets", "pyimgano_industrial.host.adapters"]


def test_the_hosts_own_flag_loads_the_plugins_when_the_automatic_loading_is_off() -> None:
    code = (
        "import sys, pyimgano.cli as cli\n"
        "cli.main(['--plugins', '--list-models'])\n"
        "from pyimgano_industrial.host import seams\n"
        "print(seams.states()[seams.SEAMS[0]], file=sys.stderr)"
    )
    done = run(sys.executable, "-c", code, env=OFF)
    assert done.stderr.strip().endswith("applied")


def test_a_loader_keeps_its_type_and_its_source() -> None:
    code = (
        "import inspect, pyimgano.cli as cli\nprint(type(cli.__loader__).__name__, len(inspect.getsource(cli)) > 1000)"
    )
    assert python(code).split() == ["SourceFileLoader", "True"]


def test_a_seam_that_does_not_fit_warns_once_and_the_others_work() -> None:
    code = (
        "import pyimgano_industrial, pyimgano.datasets.catalog as catalog\n"
        "del catalog.list_dataset_categories\n"
        "pyimgano_industrial.load(); pyimgano_industrial.load()\n"
        "import pyimgano.utils.datasets as datasets\n"
        "print(datasets.BTADDataset.__module__)\n"
        "from pyimgano_industrial.host import seams\n"
        "print({s.name: v for s, v in seams.states().items()}['categories'])"
    )
    done = run(sys.executable, "-c", code, env=OFF)
    assert done.stdout.split("\n")[0] == "pyimgano_industrial.host.adapters"
    assert "refused: the host has no pyimgano.datasets.catalog.list_dataset_categories" in done.stdout
    assert done.stderr.count("leaves pyimgano as it is for the categories of every data set") == 1


def test_a_changed_signature_is_a_mismatch() -> None:
    from pyimgano_industrial.host.contract import SeamMismatchError, expect

    class Host:
        @staticmethod
        def load(name: str) -> None: ...

    with pytest.raises(SeamMismatchError, match=r"Host\.load has no parameter root; it has name"):
        expect(Host, "load", "name", "root")
    assert expect(Host, "load", "name") is Host.load


def test_a_later_host_that_loads_our_groups_itself_is_left_alone(tmp_path: Path) -> None:
    import shutil

    import pyimgano

    source = Path(pyimgano.__file__).parent
    shutil.copytree(source, tmp_path / "pyimgano", ignore=shutil.ignore_patterns("__pycache__"))
    plugins = tmp_path / "pyimgano" / "plugins.py"
    text = plugins.read_text(encoding="utf-8")
    later = text.replace('("pyimgano.plugins",)', '("pyimgano.plugins", "pyimgano.models")', 1)
    assert later != text
    plugins.write_text(later, encoding="utf-8")
    code = "import pyimgano.utils.datasets as d; print(d.__file__, d.BTADDataset.__module__)"
    done = run(script("python"), "-c", code, path=tmp_path)
    assert done.stdout.split() == [str(tmp_path / "pyimgano" / "utils" / "datasets.py"), "pyimgano.utils.datasets"]
    assert "this pyimgano loads the entry-point groups pyimgano.models itself" in done.stderr


def test_the_shim_survives_a_broken_package_and_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "pyimgano_industrial"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('half an installation')", encoding="utf-8")
    done = run(sys.executable, "-c", "import pyimgano.models; print('host works')", path=tmp_path)
    assert done.stdout.strip() == "host works"
    assert "pyimgano-industrial could not load itself: RuntimeError('half an installation')" in done.stderr


def test_the_start_file_and_the_pth_file_put_the_same_waiter_there() -> None:
    import pkgutil

    import _pyimgano_autoload

    folder = Path(_pyimgano_autoload.__file__).parent
    lines = (folder / "_pyimgano_autoload.start").read_text(encoding="utf-8").split()
    assert lines == ["_pyimgano_autoload:install"]  # PEP 829: one package.module:callable a line
    assert pkgutil.resolve_name(lines[0]) is _pyimgano_autoload.install
    (pth,) = (folder / "_pyimgano_autoload.pth").read_text(encoding="utf-8").splitlines()
    before = list(sys.meta_path)
    try:
        sys.meta_path[:] = []
        exec(pth)  # as site does it
        (waiter,) = sys.meta_path
        assert waiter.__name__ == _pyimgano_autoload.NAME
        assert waiter.find_spec("json") is None  # type: ignore[attr-defined]
        _pyimgano_autoload.install()
        assert sys.meta_path == [waiter]
    finally:
        sys.meta_path[:] = before


def test_without_the_host_the_shim_never_breaks_an_import(tmp_path: Path) -> None:
    import _pyimgano_autoload

    shim = Path(_pyimgano_autoload.__file__)
    (tmp_path / shim.name).write_text(shim.read_text(encoding="utf-8"), encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import _pyimgano_autoload; _pyimgano_autoload.install(); _pyimgano_autoload.install()\n"
        "import json, decimal\n"
        "print(sum(getattr(finder, '__name__', '') == 'PyimganoAutoload' for finder in sys.meta_path))\n"
        "try: import pyimgano\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    done = run(sys.executable, "-I", "-S", "-c", code)
    assert done.stdout.split() == ["1", "pyimgano"]
    assert "could not load itself: ModuleNotFoundError" in done.stderr  # half an installation: the shim alone
