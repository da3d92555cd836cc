"""MVTec AD 2 from the data set to the file that is uploaded, on eight small rendered objects.

Run with `python ad2_submission.py`; it downloads nothing and writes mvtec_ad2, run and submission here. With the real
data set, leave `rendered` out: the commands stay the same.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

from pyimgano_industrial.cli.main import main as pyimgano_industrial
from pyimgano_industrial.datasets import MVTecAD2
from pyimgano_industrial.demo.layouts import CATEGORY, Counts, write_ad2

ROOT, MODEL = Path("mvtec_ad2"), "vision_industrial_filter_bank"
FEW = Counts(fit=6, validation=4, good=1, bad=2)


def rendered() -> None:
    """Write the eight objects in MVTec AD 2's layout: trays of six parts under five lightings, another tray each."""
    for seed, name in enumerate(MVTecAD2.known_categories):
        images = write_ad2(ROOT, counts=FEW, seed=100_000 * seed, height=192)
        (ROOT / CATEGORY).rename(ROOT / name)
        print(f"{ROOT / name}: {images} images")


def command(*arguments: str) -> None:
    """Run one of the commands, as on the command line."""
    print(f"\n$ pyimgano-industrial {' '.join(arguments)}", flush=True)
    code = pyimgano_industrial(arguments)
    assert code == 0, f"the command must succeed; its exit code is {code}"


def main() -> int:
    rendered()
    command("check", "--dataset", "mvtec_ad2", "--root", f"{ROOT}", "--category", "can")

    # Models and thresholds are compared on the public split, whose masks are there; never by uploading.
    command("evaluate", "--dataset", "mvtec_ad2", "--root", f"{ROOT}", "--category", "can", "--model", MODEL,
            "--output", "run")  # fmt: skip

    # Fits each object, takes its threshold of pixels from normal validation images, writes the maps of both private
    # splits, checks every file against the data set, and packs.
    command("submit", "--root", f"{ROOT}", "--model", MODEL, "--output", "submission")

    archive = Path("submission/submission.tar.gz")
    command("submit", "--root", f"{ROOT}", "--check", f"{archive}")
    with tarfile.open(archive) as packed:
        files = [member.name for member in packed if member.isfile()]
    print(f"\n{archive}: {len(files)} files, for example {files[0]}")
    record = json.loads(Path("submission/submission.json").read_text(encoding="utf-8"))
    print("The mixed split is lit as no image of the fit was, and half of all pixels are of it: hence the shares.")
    for one in record["objects"]:
        print(
            f"{one['object']:12} threshold {one['threshold']:.4g}, {100 * one['flagged']:.2f} % of the pixels above it"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
