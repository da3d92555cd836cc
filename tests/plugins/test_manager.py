"""Plugins as real distributions, installed with pip and found through their entry points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distributions import Distribution, build_wheels, pip, python, run, script

HOOKS = """
from pyimgano_industrial import Entry, hookimpl

@hookimpl
def pyimgano_{kind}():
    return [{entries}]
"""


def hooks(*entries: str, kind: str = "models") -> str:
    return HOOKS.format(kind=kind, entries=", ".join(entries))


def row(name: str, target: str = "json:JSONDecoder", **options: object) -> str:
    return f"Entry({name!r}, {target!r}, **{options!r})"


MODELS = "pyimgano.models"
DISTRIBUTIONS = [
    Distribution("broken-import", {"broken_hooks": "import no_such_module"}, {MODELS: {"broken": "broken_hooks"}}),
    Distribution("raising-hook", {"raising_hooks": hooks("1 / 0")}, {MODELS: {"raising": "raising_hooks"}}),
    Distribution("no-hook", {"no_hook": "x = 1"}, {MODELS: {"empty": "no_hook"}}),
    Distribution("not-a-row", {"stray_hooks": hooks("'vision_stray'")}, {MODELS: {"stray": "stray_hooks"}}),
    Distribution(
        "missing-extra",
        {
            "extra_hooks": hooks(row("needs_gpu", "extra_model:Model", extra="gpu")),
            "extra_model": "import no_such_module",
        },
        {MODELS: {"extra": "extra_hooks"}},
        extras={"gpu": []},
    ),
    Distribution("twin-a", {"twin_a": hooks(row("from_twin_a"))}, {MODELS: {"same": "twin_a"}}),
    Distribution("twin-b", {"twin_b": hooks(row("from_twin_b"))}, {MODELS: {"same": "twin_b"}}),
    Distribution("claim-a", {"claim_a": hooks(row("contested"))}, {MODELS: {"a": "claim_a"}}),
    Distribution("claim-b", {"claim_b": hooks(row("contested"))}, {MODELS: {"b": "claim_b"}}),
    Distribution(
        "claim-c",
        {"claim_c": hooks(row("contested", "json:JSONEncoder", replaces=True))},
        {MODELS: {"c": "claim_c"}},
    ),
    Distribution(
        "two-names",
        {
            "both_hooks": hooks(row("from_both"))
            + hooks(row("set_of_both", "json:JSONDecoder"), kind="datasets").replace(
                "from pyimgano_industrial import Entry, hookimpl", ""
            )
        },
        {MODELS: {"first": "both_hooks", "second": "both_hooks"}, "pyimgano.datasets": {"third": "both_hooks"}},
    ),
]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_wheels(DISTRIBUTIONS, tmp_path_factory.mktemp("plugins"))


def status(installed: Path) -> dict:
    done = run(script("pyimgano-industrial"), "status", "--json", path=installed, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def rows(report: dict, kind: str) -> list[dict]:
    """Return the rows of the distributions under test, without this package's own."""
    return [
        found
        for found in report["rows"]
        if found["kind"] == kind and found["from"].split()[0] in {one.name for one in DISTRIBUTIONS}
    ]


def names(report: dict, kind: str = "models") -> list[str]:
    return [found["name"] for found in rows(report, kind)]


def install(wheels: dict[str, Path], target: Path, *distributions: str) -> Path:
    pip("install", "--no-deps", "--no-index", "--target", str(target), *(str(wheels[name]) for name in distributions))
    return target


@pytest.mark.parametrize(
    ("distribution", "entry_point", "cause"),
    [
        ("broken-import", "broken", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raising-hook", "raising", "ZeroDivisionError: division by zero"),
        ("no-hook", "empty", "has no function pyimgano_models marked with hookimpl"),
        ("not-a-row", "stray", "must return Entry rows; got 'vision_stray'"),
    ],
)
def test_broken_plugin_warns_with_its_cause_and_the_others_load(
    wheels: dict[str, Path], tmp_path: Path, distribution: str, entry_point: str, cause: str
) -> None:
    installed = install(wheels, tmp_path, distribution, "twin-a")
    code = "from pyimgano.models import list_models; print('from_twin_a' in list_models(), len(list_models()))"
    done = run(script("python"), "-c", code, path=installed)
    assert done.stdout.split()[0] == "True"
    assert f"plugin '{entry_point}' (pyimgano.models) of {distribution} 1.0 does not load" in done.stderr
    assert cause in done.stderr
    report = status(installed)
    assert not report["ok"]
    assert "from_twin_a" in names(report)
    assert any(cause in (source["failure"] or "") for source in report["plugins"])


def test_missing_extra_names_the_install_command(wheels: dict[str, Path], tmp_path: Path) -> None:
    installed = install(wheels, tmp_path, "missing-extra")
    done = run(
        script("python"),
        "-c",
        "from pyimgano.models import create_model, list_models\n"
        "assert 'needs_gpu' in list_models()\n"
        "create_model('needs_gpu')",
        path=installed,
        check=False,
    )
    assert done.returncode == 1
    assert 'install what it needs: pip install "missing-extra[gpu]"' in done.stderr
    assert "No module named 'no_such_module'" in done.stderr


def test_two_distributions_may_reuse_an_entry_point_name(wheels: dict[str, Path], tmp_path: Path) -> None:
    report = status(install(wheels, tmp_path, "twin-a", "twin-b"))
    assert names(report) == ["from_twin_a", "from_twin_b"]
    assert report["ok"]


def test_two_claims_to_one_name_raise_and_name_both(wheels: dict[str, Path], tmp_path: Path) -> None:
    installed = install(wheels, tmp_path, "claim-a", "claim-b")
    done = run(script("python"), "-c", "import pyimgano.models", path=installed, check=False)
    assert done.returncode == 1
    assert "PluginConflictError" in done.stderr
    assert "'contested' must belong to one plugin" in done.stderr
    assert "claim-a 1.0" in done.stderr
    assert "claim-b 1.0" in done.stderr
    report = status(installed)
    assert len(report["conflicts"]) == 1
    assert not report["ok"]


def test_a_replacing_row_settles_the_claims(wheels: dict[str, Path], tmp_path: Path) -> None:
    installed = install(wheels, tmp_path, "claim-a", "claim-b", "claim-c")
    report = status(installed)
    assert [(found["name"], found["from"]) for found in rows(report, "models")] == [("contested", "claim-c 1.0")]
    code = "from pyimgano.models import create_model; print(type(create_model('contested')).__name__)"
    assert python(code, path=installed).strip() == "JSONEncoder"


def test_one_module_under_several_names_is_one_plugin(wheels: dict[str, Path], tmp_path: Path) -> None:
    report = status(install(wheels, tmp_path, "two-names"))
    assert names(report) == ["from_both"]
    assert "set_of_both" in names(report, "datasets")
    assert report["ok"]


def test_unknown_row_offers_the_closest_name() -> None:
    from pyimgano_industrial.core.errors import UnknownNameError
    from pyimgano_industrial.plugins.manager import plugins

    with pytest.raises(UnknownNameError, match="unknown dataset 'mvtec_loko'; did you mean 'mvtec_loco'\\? Known: "):
        plugins().row("datasets", "mvtec_loko")


def test_listings_are_sorted() -> None:
    from pyimgano_industrial.plugins.manager import plugins

    found = [row.name for row in plugins().rows("datasets")]
    assert found == sorted(found)
    assert len(found) == len(set(found))


def test_listing_rows_imports_no_target() -> None:
    code = (
        "import sys; from pyimgano_industrial.plugins.manager import plugins; plugins().rows('datasets');"
        "print([m for m in sys.modules if m.startswith('pyimgano_industrial.datasets')])"
    )
    assert python(code).strip() == "[]"
