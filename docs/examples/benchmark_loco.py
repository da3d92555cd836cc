"""MVTec LOCO AD by its own metric: AU-sPRO of two models on a small rendered category, from one command.

Run with `python benchmark_loco.py`; it downloads nothing and writes the data set to loco and the run to run, here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyimgano_industrial.cli.main import main as pyimgano_industrial
from pyimgano_industrial.demo.layouts import CATEGORY, LOCO_SMALL, write_loco
from pyimgano_industrial.evaluation.folder import RunFolder

MODELS = ("vision_industrial_filter_bank", "vision_pixel_mad_map")


def main() -> int:
    # Trays of six parts in MVTec LOCO AD's layout: logical and structural anomalies, a mask for each defect, and
    # defects_config.json with the area from which each kind counts as found.
    images = write_loco(Path("loco"), counts=LOCO_SMALL, height=240)
    print(f"loco/{CATEGORY}: {images} images")

    # The same as on the command line: pyimgano-industrial evaluate --dataset mvtec_loco ...
    arguments = ["evaluate", "--dataset", "mvtec_loco", "--root", "loco", "--category", CATEGORY, "--output", "run"]
    for model in MODELS:
        arguments += ["--model", model]
    code = pyimgano_industrial(arguments)
    assert code == 0, f"the evaluation must succeed; its exit code is {code}"

    # Every number of the table is in run/results.json. These say that the command works, and nothing about the models:
    # 24 rendered images are too few, as the intervals in the table show.
    run = RunFolder("run").load()
    print("\nAU-sPRO, integrated up to a false positive rate of 5 %")
    for model in MODELS:
        number = run.row(model, CATEGORY).metrics["au_spro@0.05"]
        print(f"{model:32}{number.value:.3f}, 95 % interval over images {number.low:.3f} to {number.high:.3f}")
        assert number.low <= number.value <= number.high
        assert number.value > 0.8
    assert Path("run/report.html").exists()
    return 0


if __name__ == "__main__":
    sys.exit(main())
