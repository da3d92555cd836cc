"""The host's commands take thresholds from images that the detector has not seen, and say what these promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acme
from distributions import script
from pyimgano_industrial.inference import Calibration
from warm import bare_and_plugged, python, run

MAD = ("--model", "vision_pixel_mad_map")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good: 60 images of one size; some: 6; mixed: 10 of two sizes; all plain with noise."""
    root = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    for folder, count in {"good": 60, "some": 6, "mixed": 10}.items():
        for index in range(count):
            side = 40 if folder == "mixed" and index % 2 else 48
            image = (rng.normal(0, 4, (48, side, 3)) + 120 + rng.normal(0, 3)).clip(0, 255).astype(np.uint8)
            acme.save(image, root / folder / f"{index:03}.png")
    return root


def infer(
    root: Path, *flags: str, train: str = "good", check: bool = True, cwd: Path
) -> tuple[str, list[dict[str, Any]]]:
    """Run pyimgano-infer on the six images; return what it said and its records."""
    done = run(
        script("pyimgano-infer"), "--train-dir", str(root / train), "--input", str(root / "some"),
        "--save-jsonl", "out.jsonl", *flags, check=check, cwd=cwd,
    )  # fmt: skip
    lines = (cwd / "out.jsonl").read_text(encoding="utf-8").splitlines() if done.returncode == 0 else []
    return done.stderr, [json.loads(line) for line in lines]


# pyimgano-infer.


def test_infer_keeps_a_fifth_back_and_says_which(parts: Path, tmp_path: Path) -> None:
    said, records = infer(parts, *MAD, "--target-fpr", "0.2", "--threshold-report", "report.json", cwd=tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report["method"], report["promise"], report["source"], report["images"]) == (
        "tolerance", "proven", "held-out", 12,
    )  # fmt: skip
    assert (
        "from 12 good images that were kept back from fitting. It promises at most 20 % of good images flagged" in said
    )
    assert f"Calibrated on 12 of the 60 images of --train-dir: {report['names'][0]}, " in said
    assert "and 7 more" in said
    short = records[0]["threshold_provenance"]
    (change,) = report["changes"]
    assert {"date": short.pop("date"), "old": short.pop("old")} == {"date": change["date"], "old": None}
    assert short == {name: report[name] for name in short}
    assert (change["new"], change["method"], change["names"]) == (report["threshold"], "tolerance", report["names"])
    assert all(record["label"] == (record["score"] > report["threshold"]) for record in records)
    code = (
        "from pathlib import Path; from pyimgano.models import create_model\n"
        f"names = {report['names']!r}\n"
        f"others = sorted(str(p) for p in Path({str(parts / 'good')!r}).iterdir() if str(p) not in names)\n"
        "model = create_model('vision_pixel_mad_map'); model.fit(others)\n"
        "print(len(others), max(model.decision_function(names)))"
    )
    count, largest = python(code).split()
    assert int(count) == 48
    assert float(largest) == pytest.approx(report["threshold"])


def test_the_log_of_a_report_goes_on_and_no_other_file_is_overwritten(parts: Path, tmp_path: Path) -> None:
    flags = ("--threshold-report", "report.json")
    infer(parts, *MAD, "--target-fpr", "0.2", *flags, cwd=tmp_path)
    said, _ = infer(parts, *MAD, "--threshold-method", "conformal", "--target-fpr", "0.4", *flags, cwd=tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    first, last = report["changes"]
    assert (first["old"], first["method"], first["images"]) == (None, "tolerance", 12)
    assert (last["old"], last["new"], last["method"]) == (first["new"], report["threshold"], "conformal")
    assert f"image threshold {first['new']:.6g} -> {last['new']:.6g} (conformal, 12 good images)" in said
    (tmp_path / "other.json").write_text('{"threshold": 1}', encoding="utf-8")
    with pytest.raises(AssertionError, match="is no report"):
        infer(parts, *MAD, "--threshold-report", "other.json", cwd=tmp_path)
    assert (tmp_path / "other.json").read_text(encoding="utf-8") == '{"threshold": 1}'


def test_infer_without_a_flag_aims_at_the_models_contamination(parts: Path, tmp_path: Path) -> None:
    said, records = infer(parts, *MAD, cwd=tmp_path)
    assert "It does not promise at most 10 % of good images flagged." in said
    assert "12 good images cannot show that at most 10 % of good images are flagged; 22 show it" in said
    assert "--calibrate-on out-of-fold scores all 60, and fits six times" in said
    assert records[0]["threshold_provenance"]["promise"] == "refused"


def test_the_hosts_quantile_is_one_of_held_out_scores(parts: Path, tmp_path: Path) -> None:
    _, records = infer(parts, *MAD, "--calibration-quantile", "0.8", cwd=tmp_path)
    made = records[0]["threshold_provenance"]
    assert (made["method"], made["promise"], made["images"], made["target_fpr"]) == ("quantile", "estimated", 12, 0.2)


def test_out_of_fold_rests_on_every_image(parts: Path, tmp_path: Path) -> None:
    said, records = infer(parts, *MAD, "--calibrate-on", "out-of-fold", "--target-fpr", "0.05", cwd=tmp_path)
    made = records[0]["threshold_provenance"]
    assert (made["promise"], made["source"], made["images"]) == ("on average", "out-of-fold", 60)
    assert "from 60 good images each scored by a detector fitted on the others" in said


def test_train_scores_are_used_only_when_asked_for_and_told_off(parts: Path, tmp_path: Path) -> None:
    said, records = infer(parts, "--model", "vision_knn", "--calibrate-on", "train", cwd=tmp_path)
    assert records[0]["threshold_provenance"]["source"] == "train"
    assert "rests on the 60 images that the detector was fitted on" in said
    assert "keep images back from fitting" in said


@pytest.mark.parametrize(
    ("flags", "count", "promise"),
    [
        ((), 12, "proven"),
        (("--calibrate-on", "out-of-fold"), 60, "on average"),
        (("--tile-calibration", "folds"), 60, "on average"),
    ],
)
def test_a_tiled_detector_keeps_images_back_or_has_folds(
    parts: Path, tmp_path: Path, flags: tuple[str, ...], count: int, promise: str
) -> None:
    said, records = infer(parts, *MAD, "--tile-size", "24", "--target-fpr", "0.2", *flags, cwd=tmp_path)
    assert records[0]["threshold_provenance"]["promise"] == promise
    assert f"Calibrated on {count} of the 60 images" in said


def test_pixel_thresholds_rest_on_the_images_kept_back(parts: Path, tmp_path: Path) -> None:
    said, records = infer(parts, *MAD, "--defects", cwd=tmp_path)
    made = records[0]["defects"]["pixel_threshold_provenance"]
    assert (made["calibration_map_count"], made["method"]) == (12, "normal_pixel_quantile")
    assert (made["calibration"]["method"], made["calibration"]["images"]) == ("quantile", 12)
    assert "Pixel threshold " in said
    (change,) = made["calibration"]["changes"]
    used = records[0]["defects"]["pixel_threshold"]
    assert (change["level"], change["new"], change["images"], change["old"]) == ("pixel", used, 12, None)
    _, stated = infer(parts, *MAD, "--defects", "--pixel-threshold", "2.5", cwd=tmp_path)
    (change,) = stated[0]["defects"]["pixel_threshold_provenance"]["changes"]
    assert (change["level"], change["new"], change["method"], change["old"]) == ("pixel", 2.5, "stated", None)
    _, tolerance = infer(parts, *MAD, "--defects", "--threshold-method", "tolerance", cwd=tmp_path)
    assert tolerance[0]["defects"]["pixel_threshold_provenance"]["calibration"]["promise"] == "refused"
    assert tolerance[0]["defects"]["pixel_threshold"] > records[0]["defects"]["pixel_threshold"]


def test_pixel_thresholds_take_maps_of_mixed_sizes(parts: Path) -> None:
    code = """
import numpy as np
from pyimgano.defects.pixel_threshold import resolve_pixel_threshold
maps = [np.random.default_rng(i).random((20, 20 + i), np.float32) for i in range(10)]
try:
    found = resolve_pixel_threshold(pixel_threshold=None, pixel_threshold_strategy="normal_pixel_quantile",
        calibration_maps=maps, pixel_normal_quantile=0.9, roi_xyxy_norm=[0.0, 0.0, 0.5, 1.0])
except ValueError as error:
    found = str(error)
print(json.dumps(found))
"""
    bare, plugged = bare_and_plugged(code, parts)
    assert "All calibration_maps must have the same shape" in bare
    assert plugged[0] == pytest.approx(0.9, abs=0.03)
    assert plugged[1]["calibration_map_count"] == 10
    assert plugged[1]["roi_used"] is True


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--target-fpr", "0.1", "--calibration-quantile", "0.9"), "both say how many good images may be flagged"),
        (("--tile-calibration", "none", "--tile-size", "24"), "leaves no scores for the threshold of pyimgano-infer"),
        (("--target-fpr", "5"), r"target_fpr must be in (0, 1), a share of normal images; got 5.0"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    parts: Path, tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    said, _ = infer(parts, *MAD, *flags, check=False, cwd=tmp_path)
    assert message in said


def test_flags_without_images_to_calibrate_on_are_refused(parts: Path, tmp_path: Path) -> None:
    done = run(
        script("pyimgano-infer"), *MAD, "--input", str(parts / "some"), "--threshold-method", "tail", check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "--threshold-report need --train-dir, the good images that the threshold is made from; got none" in done.stderr
    )


def test_the_flags_are_where_a_threshold_is_calibrated() -> None:
    shown = {
        name: run(script(f"pyimgano-{name}"), "--help").stdout for name in ("infer", "benchmark", "robust-benchmark")
    }
    own = ("--threshold-method ", "--target-fpr ")
    assert all(flag in shown[name] for name in ("infer", "benchmark") for flag in own)
    assert "--calibrate-on " in shown["infer"]
    assert "--calibrate-on " not in shown["benchmark"]
    assert "--threshold-method" not in shown["robust-benchmark"]


# pyimgano-benchmark.


def write_mvtec(root: Path, *, fit: int) -> Path:
    """Write the example data set under a category that the bare host knows, too."""
    found = acme.write_mvtec(root / "mvtec", bolts=acme.write_bolts(root / "bolts", fit=fit))
    (found / "bolt").rename(found / "bottle")
    return found


def benchmark(root: Path, *flags: str, cwd: Path, **options: Any) -> dict[str, Any]:
    run(
        script("pyimgano-benchmark"), "--dataset", "mvtec", "--root", str(root), "--category", "bottle", *MAD,
        "--output", "report.json", *flags, cwd=cwd, **options,
    )  # fmt: skip
    report: dict[str, Any] = json.loads((cwd / "report.json").read_text(encoding="utf-8"))
    return report


def test_benchmark_calibrates_on_images_kept_back_and_measures_the_detector_fitted_on_all(tmp_path: Path) -> None:
    root = write_mvtec(tmp_path, fit=50)
    bare = benchmark(root, cwd=tmp_path, env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"})
    plugged = benchmark(root, cwd=tmp_path)
    assert plugged["results"]["auroc"] == bare["results"]["auroc"]
    assert bare["threshold_provenance"]["split"] == "train"
    made = plugged["threshold_provenance"]
    assert (made["split"], made["train_count"], made["held_out_count"]) == ("held-out", 50, 10)
    assert made["scored"] == "by a second detector, fitted on the others"
    assert (made["method"], made["quantile"]) == ("quantile", 0.9)
    report = made["calibration"]
    assert (report["promise"], report["images"], len(report["names"])) == ("estimated", 10, 10)
    assert plugged["threshold"] == report["threshold"]


def test_benchmark_scores_all_images_in_turn_where_there_are_few(tmp_path: Path) -> None:
    made = benchmark(write_mvtec(tmp_path, fit=12), cwd=tmp_path)["threshold_provenance"]
    assert (made["split"], made["train_count"], made["held_out_count"]) == ("out-of-fold", 12, 12)
    assert made["scored"] == "by further detectors, each fitted on the others"


def test_benchmark_takes_the_method_and_the_rate(tmp_path: Path) -> None:
    flags = ("--threshold-method", "tolerance", "--target-fpr", "0.2")
    report = benchmark(write_mvtec(tmp_path, fit=50), *flags, cwd=tmp_path)
    made = report["threshold_provenance"]
    assert (made["method"], made["quantile"], made["calibration"]["target_fpr"]) == ("tolerance", 0.8, 0.2)
    assert made["calibration"]["promise"] == "refused"  # a second detector's 10 images: 11 would show it
    assert report["threshold"] == made["calibration"]["threshold"]


def test_benchmark_uses_the_unseen_images_of_a_tiled_detector(tmp_path: Path) -> None:
    root = write_mvtec(tmp_path, fit=50)
    made = benchmark(root, "--tile-size", "32", cwd=tmp_path)["threshold_provenance"]
    assert (made["split"], made["held_out_count"]) == ("out-of-fold", 50)
    assert made["scored"] == "by its folds, fitted on the others"
    kept = benchmark(root, "--tile-size", "32", "--tile-calibration", "holdout", cwd=tmp_path)["threshold_provenance"]
    assert (kept["split"], kept["held_out_count"]) == ("held-out", 10)


def test_benchmark_says_where_the_flags_do_nothing(tmp_path: Path) -> None:
    root = write_mvtec(tmp_path, fit=10)
    common = ("--dataset", "mvtec", "--root", str(root), "--category", "bottle", *MAD, "--target-fpr", "0.1")
    pixel = run(script("pyimgano-benchmark"), *common, "--pixel", check=False, cwd=tmp_path)
    assert "--threshold-method and --target-fpr do nothing with --pixel; leave out one or the other" in pixel.stderr
    code = (
        "from pyimgano_industrial.host import settings, threshold_flags, calibration\n"
        "settings.thresholds['target_fpr'] = 0.1\n"
        "try: calibration._check_flags('median')\n"
        "except threshold_flags.ThresholdFlagError as error: print(error)"
    )
    assert "need the strategy train_quantile; got median" in python(code)


# In a program.


def test_calibrate_threshold_is_the_hosts_and_says_what_it_rests_on(parts: Path) -> None:
    code = """
import warnings
from pathlib import Path
import numpy as np
from pyimgano.inference import calibrate_threshold
from pyimgano.models import create_model
paths = sorted(str(p) for p in Path(root, "good").iterdir())
model = create_model("vision_knn"); model.fit(paths[:40])
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    threshold = calibrate_threshold(model, paths[40:], quantile=0.9)
    few = calibrate_threshold(model, paths[40:43], quantile=0.995)
    heart = calibrate_threshold(model, paths[:40], quantile=0.9)
report = getattr(model, "calibration_", None)
said = [str(one.message) for one in seen if one.category.__name__ == "IndustrialWarning"]
print(json.dumps([threshold, few, heart, model.threshold_, said, report and report.source]))
"""
    bare, plugged = bare_and_plugged(code, parts)
    assert plugged[:4] == bare[:4]
    assert bare[4:] == [[], None]
    assert [sentence.partition(";")[0] for sentence in plugged[4]] == [
        "3 good images cannot show that at most 0.5 % of good images are flagged",
        "the threshold rests on the 40 images that the detector was fitted on",
    ]
    assert plugged[5] == "train"


def test_a_memory_bank_flags_far_more_than_promised_when_it_is_calibrated_on_its_own_images(parts: Path) -> None:
    """The reason for it all: 5 % promised, on the images that it was fitted on and on images kept back."""
    code = """
from pathlib import Path
import numpy as np
from pyimgano.inference import calibrate_threshold
from pyimgano.models import create_model
import warnings; warnings.simplefilter("ignore")
paths = sorted(str(p) for p in Path(root, "good").iterdir())
model = create_model("vision_knn", n_neighbors=1); model.fit(paths[:20])
heart = calibrate_threshold(model, paths[:20], quantile=0.95)
kept = calibrate_threshold(model, paths[20:40], quantile=0.95)
new = model.decision_function(paths[40:])
print(json.dumps([float((new > heart).mean()), float((new > kept).mean())]))
"""
    _, (heart, kept) = bare_and_plugged(code, parts)
    assert heart > 0.5
    assert kept <= 0.3


def test_the_hosts_validator_takes_an_infer_config_with_our_calibration(tmp_path: Path) -> None:
    code = f"""
import json, warnings
warnings.simplefilter("ignore")
from pyimgano.inference.validate_infer_config import validate_infer_config_file
from pyimgano_industrial.inference import Calibration, Calibrator
config = {{"schema_version": 1, "model": {{"name": "vision_knn"}}, "defects": {{}}}}
calibrator = Calibrator()
config = calibrator.fit(list(range(60))).into(config)
config = calibrator.fit_maps([[[float(i)]] for i in range(60)]).into(config)
path = {str(tmp_path / "infer_config.json")!r}
open(path, "w").write(json.dumps(config))
validate_infer_config_file(path, check_files=True)
print(Calibration.from_infer_config(json.loads(open(path).read())).promise)
"""
    assert python(code).strip() == "proven"


def test_train_writes_what_its_threshold_promises_into_the_infer_config(tmp_path: Path) -> None:
    config = {
        "recipe": "industrial-adapt",
        "dataset": {
            "name": "mvtec",
            "root": str(write_mvtec(tmp_path, fit=12)),
            "category": "bottle",
            "resize": [60, 80],
        },
        "model": {"name": "vision_knn", "device": "cpu", "pretrained": False, "contamination": 0.1},
        "output": {"output_dir": str(tmp_path / "run"), "save_run": True, "per_image_jsonl": False},
    }
    (tmp_path / "train.json").write_text(json.dumps(config), encoding="utf-8")
    done = run(script("pyimgano-train"), "--config", "train.json", "--export-infer-config", cwd=tmp_path)
    assert "3 good images cannot show that at most 10 % of good images are flagged" in done.stderr  # the host keeps 3
    (written,) = (tmp_path / "run").rglob("infer_config.json")
    found = Calibration.from_infer_config(json.loads(written.read_text(encoding="utf-8")))
    assert found is not None
    assert (found.method, found.source, found.promise, found.images) == ("quantile", "held-out", "refused", 3)
    assert (found.changes[-1].new, found.changes[-1].method) == (found.threshold, "quantile")
    assert len(found.changes[-1].names) == 3
