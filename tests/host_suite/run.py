"""Runs pyimgano's own test-suite without and with this plugin, and fails on what only the plugin breaks.

The suite comes with the host's source distribution. What the bare host fails by itself is found in the same run.
A test that passes bare and fails plugged is run again in both ways, alone, so that a flaky one is not blamed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))

from exceptions import EXCEPTIONS

from pyimgano_industrial.host import seams

# Beside the seams' own modules, what reaches data sets, presets, parsers and the registry in the host's tests.
TOUCHED = (
    "load_dataset", "dataset_split_service", "benchmark_service", "robustness_service", "pyimgano.datasets",
    "pyimgano.plugins", "model_presets", "preprocessing_preset", "MODEL_REGISTRY", "load_benchmark_split",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="store_true", help="only the test files that name what the plugin touches")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--report", type=Path, help="write the two junit files into this folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = fetch(Path(folder))
        files = [str(file.relative_to(root)) for file in sorted((root / "tests").glob("**/test_*.py"))]
        if args.part:
            files = [file for file in files if names_what_we_touch((root / file).read_text(encoding="utf-8"))]
        print(f"{len(files)} files of the test-suite of pyimgano {version('pyimgano')}", flush=True)
        reports = args.report or Path(folder)
        reports.mkdir(parents=True, exist_ok=True)
        bare = run(root, files, plugged=False, report=(reports / "bare.xml").resolve(), workers=args.workers)
        plugged = run(root, files, plugged=True, report=(reports / "plugged.xml").resolve(), workers=args.workers)
        suspects = [test for test, outcome in plugged.items() if bare.get(test) == "passed" and outcome != "passed"]
        suspects += [test for test, outcome in bare.items() if outcome == "passed" and test not in plugged]
        broken = confirm(root, suspects) if suspects else []
    return summarise(bare, plugged, broken)


def fetch(folder: Path) -> Path:
    """Download and unpack the source distribution of the installed host."""
    requirement = f"pyimgano=={version('pyimgano')}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", requirement]
    subprocess.run([*pip, "--dest", str(folder)], check=True)
    (archive,) = folder.glob("pyimgano-*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def names_what_we_touch(text: str) -> bool:
    return any(name in text for name in (*seams.modules(), *TOUCHED))


def run(root: Path, tests: list[str], *, plugged: bool, report: Path, workers: str) -> dict[str, str]:
    """Run tests and return their outcomes."""
    print(f"\n== {'with' if plugged else 'without'} the plugin ==", flush=True)
    env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="" if plugged else "1")
    options = ["-q", "-p", "no:cacheprovider", "--tb=no", "-o", "addopts=", "--timeout=300", f"--junitxml={report}"]
    parallel = ["-n", workers, "--dist", "loadfile"] if workers != "0" else []
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *parallel, *tests],
        cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
    )  # fmt: skip
    print(done.stdout.strip().splitlines()[-1], f"[{time.perf_counter() - started:.0f} s]", flush=True)
    return outcomes(report)


def outcomes(report: Path) -> dict[str, str]:
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        tags = {child.tag for child in case}
        outcome = next((tag for tag in ("failure", "error", "skipped") if tag in tags), "passed")
        found[f"{case.get('classname')}::{case.get('name')}"] = outcome
    return found


def confirm(root: Path, suspects: list[str]) -> list[str]:
    """Run the suspects' files again in both ways, without workers; return those that only the plugin breaks."""
    files = sorted({str(file_of(root, test)) for test in suspects})
    again = {
        plugged: run(root, files, plugged=plugged, report=root.parent / f"again-{plugged}.xml", workers="0")
        for plugged in (False, True)
    }
    return [test for test in suspects if again[False].get(test) == "passed" != again[True].get(test)]


def file_of(root: Path, test: str) -> Path:
    """Return the file of a junit class name, which may end in a class."""
    parts = test.partition("::")[0].split(".")
    while parts:
        file = Path(*parts).with_suffix(".py")
        if (root / file).is_file():
            return file
        parts.pop()
    raise FileNotFoundError(test)


def summarise(bare: dict[str, str], plugged: dict[str, str], broken: list[str]) -> int:
    own = sum(outcome in ("failure", "error") for outcome in bare.values())
    passed = sum(outcome == "passed" for outcome in bare.values())
    print(f"\nbare: {passed} passed, {own} failed by the host itself, of {len(bare)}")
    print(f"plugged: {sum(outcome == 'passed' for outcome in plugged.values())} passed, of {len(plugged)}")
    if not passed:
        print("no host test passed: the comparison says nothing")
        return 1
    excepted = [test for test in broken if test in EXCEPTIONS]
    blamed = [test for test in broken if test not in EXCEPTIONS]
    for test in excepted:
        reason, stand_in = EXCEPTIONS[test]
        print(f"excepted: {test}: {reason}; see {stand_in}")
    for test in blamed:
        print(f"BROKEN BY THE PLUGIN: {test}")
    stale = [test for test in EXCEPTIONS if plugged.get(test) == "passed"]
    for test in stale:
        print(f"excepted without need: {test}")
    print(f"{len(blamed)} tests broken by the plugin, {len(excepted)} excepted")
    return 1 if blamed or stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
