"""Whole evaluations of small data sets: right numbers, one pass, nothing run twice, and gaps that are stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import trees
from evaluation.oracles import Open, ScoresOnly, Scripted, knowing, noise, plan
from metrics import reference
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.results import Cell, ModelSpec, Run
from pyimgano_industrial.evaluation.run import EvaluationError, Plan, evaluate
from pyimgano_industrial.presets import PresetDetector, chain

TREES: dict[str, Callable[[Path], Any]] = {
    "mvtec_ad": trees.mvtec,
    "mvtec_loco": trees.loco,
    "mvtec_ad2": trees.ad2,
    "btad": trees.btad,
    "visa": trees.visa_converted,
    "mpdd": lambda root: trees.mvtec(root, "bracket_black"),
    "ksdd2": trees.ksdd2,
    "industrial_folder": trees.mvtec,
}


def cell_of(run: Run, output: Path, number: int = 0) -> Cell:
    return RunFolder(output).load_cell(run.rows[number])


def evaluated(tmp_path: Path, dataset: str = "mvtec_ad", **options: Any) -> Cell:
    return cell_of(evaluate(plan(dataset, tmp_path / "data", tmp_path / "run", **options)), tmp_path / "run")


@pytest.mark.parametrize("dataset", sorted(TREES))
def test_a_perfect_detector_reaches_one_on_every_data_set(tmp_path: Path, dataset: str) -> None:
    root = tmp_path / "data"
    TREES[dataset](root)
    opened = Open(dataset, root)
    category = plan(dataset, root, tmp_path / "run").categories[0]
    cell = evaluated(tmp_path, dataset, make=lambda _: knowing(opened(category)))

    assert cell.state == "done", cell.reason
    names = {"image_auroc", "image_ap", "class_f1_best", "pixel_auroc", "pixel_ap", "aupro@0.3", "aupro@0.05"}
    if dataset == "mvtec_loco":
        names |= {"image_auroc_mean", *(f"au_spro@{limit:g}" for limit in (0.01, 0.05, 0.1, 0.3, 1.0))}
    assert names <= cell.metrics.keys()
    assert {name: cell.metrics[name].value for name in names} == pytest.approx(dict.fromkeys(names, 1.0), abs=1e-5)
    assert cell.gaps == {}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A category with images of two sizes, and a validation split."""
    folder = trees.mvtec(tmp_path / "data")
    trees.images(folder / "validation" / "good", ["000.png", "001.png", "002.png"], value=90)
    trees.image(folder / "test" / "crack" / "002.png", 200, (20, 30))
    trees.mask(folder / "ground_truth" / "crack" / "002_mask.png", marked=50, size=(20, 30))
    trees.image(folder / "test" / "good" / "002.png", 210, (6, 5))
    return folder


def test_numbers_are_those_of_a_slow_reference_at_native_size(tmp_path: Path, mixed: Path) -> None:
    cell = evaluated(tmp_path)
    opened = Open("mvtec_ad", tmp_path / "data")("bottle")
    samples = opened.samples("test")
    maps = [noise(opened.image(sample)) for sample in samples]
    masks = [opened.mask(sample) for sample in samples]
    scores, labels = reference.flat(maps, masks)
    found = {name: number.value for name, number in cell.metrics.items()}

    assert {one.shape for one in masks} == {(8, 12), (20, 30), (6, 5)}
    assert found["pixel_auroc"] == pytest.approx(reference.auroc(scores, labels), abs=1e-5)
    assert found["pixel_ap"] == pytest.approx(reference.average_precision(scores, labels), abs=1e-5)
    assert found["seg_f1_best"] == pytest.approx(reference.best_f1(scores, labels), abs=1e-5)
    for limit in (0.3, 0.05):
        assert found[f"aupro@{limit}"] == pytest.approx(reference.pro(maps, masks, limit), abs=1e-5)
    means, bad = np.array([one.mean() for one in maps]), np.array([sample.label == 1 for sample in samples])
    assert found["image_auroc"] == pytest.approx(reference.auroc(means, bad))
    assert found["image_ap"] == pytest.approx(reference.average_precision(means, bad))
    assert [row.score for row in cell.images] == pytest.approx(means.tolist())
    assert mixed.name == "bottle"


def test_f1_at_the_threshold_of_the_validation_images(tmp_path: Path, mixed: Path) -> None:
    cell = evaluated(tmp_path, target_fpr=0.25, pixel_method="quantile", pixel_target_fpr=0.1)
    opened = Open("mvtec_ad", tmp_path / "data")("bottle")
    normal = [noise(opened.image(sample)) for sample in opened.samples("validation")]
    samples = opened.samples("test")
    maps = [noise(opened.image(sample)) for sample in samples]
    labels = np.array([sample.label == 1 for sample in samples])
    threshold = max(one.mean() for one in normal)  # conformal: of three scores the largest, for a quarter
    flagged = np.array([one.mean() for one in maps]) > threshold

    assert cell.threshold is not None
    assert cell.pixel_threshold is not None
    assert cell.threshold.source == "validation"
    assert cell.threshold.images == 3
    assert cell.threshold.threshold == pytest.approx(threshold)
    expected = 2 * np.sum(flagged & labels) / (np.sum(flagged) + np.sum(labels))
    assert cell.metrics["class_f1"].value == pytest.approx(expected)
    assert [row.flagged for row in cell.images] == flagged.tolist()
    scores, truth = reference.flat(maps, [opened.mask(sample) for sample in samples])
    above = scores > cell.pixel_threshold.threshold
    assert 0.05 < np.mean(np.concatenate([one.reshape(-1) for one in normal]) > cell.pixel_threshold.threshold) < 0.15
    assert cell.metrics["seg_f1"].value == pytest.approx(2 * np.sum(above & truth) / (np.sum(above) + np.sum(truth)))
    assert cell.metrics["seg_f1"].value <= cell.metrics["seg_f1_best"].value
    assert cell.metrics["seg_f1"].low is not None
    assert mixed.exists()


def test_loco_is_measured_channel_by_channel(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path / "data")
    trees.images(folder / "test" / "good", ["001.png", "002.png"], value=220)
    cell = evaluated(tmp_path, "mvtec_loco")
    opened = MVTecLOCO(tmp_path / "data", "pushpins")
    samples = opened.samples("test")
    maps = [noise(opened.image(sample)) for sample in samples]
    channels = [[(one.mask, one.saturation_area) for one in opened.channels(sample)] for sample in samples]
    for kind in ("logical_anomalies", "structural_anomalies"):
        chosen = [index for index, one in enumerate(samples) if one.anomaly_type in ("good", kind)]
        exact = reference.spro([maps[index] for index in chosen], [channels[index] for index in chosen], 0.05)
        assert cell.by_kind[kind].metrics["au_spro@0.05"].value == pytest.approx(exact, abs=1e-5)
        scores = np.array([maps[index].max() for index in chosen])  # the official image score
        labels = np.array([samples[index].label == 1 for index in chosen])
        assert cell.by_kind[kind].metrics["image_auroc"].value == pytest.approx(reference.auroc(scores, labels))
    by_kind = [group.metrics for group in cell.by_kind.values()]
    for whole, name in (("au_spro@0.05", "au_spro@0.05"), ("image_auroc_mean", "image_auroc")):
        assert cell.metrics[whole].value == pytest.approx(np.mean([one[name].value for one in by_kind]))
    assert set(cell.by_defect) == {"missing", "scratch"}
    assert cell.by_defect["scratch"].anomalous == 2
    assert cell.by_defect["missing"].anomalous == 1
    assert cell.images[-1].defects == ("scratch",)


def test_ad2_is_told_apart_by_lighting(tmp_path: Path) -> None:
    folder = trees.ad2(tmp_path / "data")
    trees.image(folder / "test_public" / "good" / "001_overexposed.png", 230)
    trees.images(folder / "validation" / "good", ["001_regular.png"], value=240)
    cell = evaluated(tmp_path, "mvtec_ad2", method="mean_sigma", pixel_method="mean_sigma")
    opened = Open("mvtec_ad2", tmp_path / "data")("can")
    over = [sample for sample in opened.samples("test_public") if sample.lighting == "overexposed"]
    maps, masks = zip(*((noise(opened.image(one)), opened.mask(one)) for one in over), strict=True)

    assert set(cell.by_lighting) == {"overexposed", "regular", "shift_1"}
    group = cell.by_lighting["overexposed"]
    assert (group.normal, group.anomalous, group.gap) == (1, 1, None)
    assert group.metrics["aupro@0.05"].value == pytest.approx(reference.pro(maps, masks, 0.05), abs=1e-5)
    assert cell.by_lighting["regular"].metrics == {}
    assert "need normal and anomalous images; got 1 and 0" in (cell.by_lighting["regular"].gap or "")
    normal = [float(noise(opened.image(one)).max()) for one in opened.samples("validation")]
    assert cell.threshold is not None  # the official suggestion: mean + 3 sigma
    assert cell.threshold.threshold == pytest.approx(np.mean(normal) + 3 * np.std(normal, ddof=1))


def test_defects_are_told_apart_by_size(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")  # defects of 4 and 6 pixels
    cell = evaluated(tmp_path, sizes=(5, 100))
    assert {name: group.anomalous for name, group in cell.by_size.items()} == {"1-4": 1, "5-99": 1, "100-": 0}
    assert cell.by_size["100-"].gap == "no defect of this size"
    assert 0 <= cell.by_size["1-4"].metrics["aupro@0.3"].value <= 1


def test_every_image_passes_once_and_the_detector_is_fitted_once(tmp_path: Path) -> None:
    trees.loco(tmp_path / "data")
    made: list[Scripted] = []
    evaluated(tmp_path, "mvtec_loco", make=lambda _: made.append(Scripted()) or made[-1])
    assert [one.fitted for one in made] == [["000.png", "001.png", "002.png"]]
    assert made[0].calls == 1 + 3  # the validation image, three test images


def test_without_a_validation_split_training_images_are_kept_back_and_that_is_said(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    made: list[Scripted] = []
    cell = evaluated(tmp_path, make=lambda _: made.append(Scripted()) or made[-1])
    assert len(made[0].fitted) == cell.fitted == 2
    assert cell.threshold is not None
    assert cell.threshold.source == "held-out"
    assert "thresholds rest on 1 of 3 training images, not fitted on" in cell.notes[0]
    assert not set(made[0].fitted) & {Path(name).name for name in cell.threshold.names}


# Nothing is run twice.


class Counting:
    """Makes detectors, counts them, and can be interrupted."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.made, self.stop_at = 0, stop_at

    def __call__(self, spec: ModelSpec) -> Scripted:  # noqa: ARG002 - all are alike
        self.made += 1
        if self.made == self.stop_at:
            raise KeyboardInterrupt
        return Scripted()


@pytest.fixture
def two(tmp_path: Path) -> Path:
    trees.mvtec(tmp_path / "data", "bottle")
    trees.mvtec(tmp_path / "data", "cable")
    return tmp_path


def test_an_interrupted_run_goes_on_where_it_ended(two: Path) -> None:
    wanted = plan("mvtec_ad", two / "data", two / "run")
    with pytest.raises(KeyboardInterrupt):
        evaluate(replace(wanted, make=Counting(stop_at=2)))
    left = RunFolder(two / "run").load()
    assert [row.state for row in left.rows] == ["done", "waiting"]
    assert left.finished is None

    going_on, fresh = Counting(), []
    run = evaluate(replace(wanted, make=going_on), told=lambda outcome: fresh.append(outcome.fresh))
    assert going_on.made == 1
    assert fresh == [False, True]
    assert [row.state for row in run.rows] == ["done", "done"]
    assert run.finished is not None
    whole = evaluate(replace(wanted, output=two / "whole", make=Counting()))
    assert [row.metrics for row in run.rows] == [row.metrics for row in whole.rows]


@pytest.mark.parametrize(
    "change",
    [
        lambda plan, _: replace(plan, again=True),
        lambda plan, _: replace(plan, settings=replace(plan.settings, limits=(0.2,))),
        lambda plan, _: replace(plan, models=(ModelSpec("model", "model", {"k": 3}),)),
        lambda plan, _: replace(plan, export=plan.output / "maps"),
        lambda plan, root: trees.image(root / "bottle/test/good/009.png", 250) and plan,
    ],
    ids=["again", "settings", "keyword arguments", "maps", "an image more"],
)
def test_a_cell_that_rests_on_something_else_is_run_again(two: Path, change: Callable[[Plan, Path], Plan]) -> None:
    first = plan("mvtec_ad", two / "data", two / "run", categories=("bottle",), make=Counting())
    evaluate(first)
    evaluate(first)
    assert first.make.made == 1  # type: ignore[attr-defined]
    evaluate(change(first, two / "data"))
    assert first.make.made == 2  # type: ignore[attr-defined]


def test_a_cell_that_is_run_again_keeps_the_log_of_its_thresholds(two: Path) -> None:
    first = plan("mvtec_ad", two / "data", two / "run", categories=("bottle",))
    folder = RunFolder(two / "run")
    before = folder.load_cell(evaluate(first).rows[0]).threshold
    other = replace(first.settings, method="conformal" if first.settings.method != "conformal" else "tolerance")
    after = folder.load_cell(evaluate(replace(first, settings=other)).rows[0]).threshold
    assert before is not None
    assert after is not None
    assert [(one.old, one.new, one.method) for one in after.changes] == [
        (None, before.threshold, first.settings.method),
        (before.threshold, after.threshold, other.method),
    ]
    assert after.changes[0] == before.changes[0]
    assert after.changes[0].names


def test_a_category_that_fails_leaves_the_others(two: Path) -> None:
    (two / "data/bottle/train/good/001.png").write_bytes(b"broken")

    class Reading(Scripted):
        def fit(self, images: list[str]) -> None:
            for one in images:
                if cv2.imread(one) is None:
                    raise RuntimeError(f"cannot open {one}")

    run = evaluate(plan("mvtec_ad", two / "data", two / "run", make=lambda _: Reading()))
    assert [row.state for row in run.rows] == ["failed", "done"]
    assert "RuntimeError: cannot open" in (run.rows[0].reason or "")
    trace = (two / "run/cells/model/bottle/traceback.txt").read_text()
    assert "in fit" in trace


# Bad input: an error or a stated gap, never a zero or NaN.


def test_a_broken_test_image_is_reported_and_counts_in_nothing(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    trees.image(folder / "test" / "good" / "002.png", 250)
    whole = evaluated(tmp_path)
    (folder / "test" / "good" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    cell = evaluated(tmp_path)
    broken = [row for row in cell.images if row.error]
    assert [row.file for row in broken] == ["bottle/test/good/003.png"]
    assert "003.png" in (broken[0].error or "")
    assert broken[0].score is None
    assert cell.metrics == whole.metrics
    assert "1 of 6 test images failed and count in no number" in cell.notes
    assert RunFolder(tmp_path / "run").load().rows[0].errors == 1


def test_a_broken_mask_is_reported_with_its_image(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    (folder / "ground_truth/crack/001_mask.png").write_bytes(b"broken")
    cell = evaluated(tmp_path)
    (failed,) = cell.failures
    assert failed.file == "bottle/test/crack/001.png"
    assert "001_mask.png" in (failed.error or "")
    assert cell.metrics["pixel_auroc"].value > 0


def test_a_map_with_nan_is_reported(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    bad = Open("mvtec_ad", tmp_path / "data")("bottle")
    image = bad.image(bad.samples("test")[0])

    def map_of(one: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full(one.shape[:2], np.nan, np.float32) if np.array_equal(one, image) else noise(one)

    cell = evaluated(tmp_path, make=lambda _: Scripted(map_of))
    (failed,) = cell.failures
    assert "must be finite; got NaN" in (failed.error or "")
    assert failed.file.endswith("good/000.png")


def test_a_category_without_anomalous_images_is_a_stated_gap(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    for file in (folder / "test/crack").iterdir():
        file.unlink()
    cell = evaluated(tmp_path)
    assert cell.state == "done"
    assert cell.metrics == {}
    assert cell.curves == ()
    assert "need normal and anomalous images; got 2 and 0" in cell.gaps["image_auroc"]
    assert "needs an anomalous image" in cell.gaps["aupro@0.3"]
    assert {"image_auroc", "image_ap", "class_f1", "seg_f1", "pixel_auroc", "pixel_ap"} <= cell.gaps.keys()


def test_a_single_test_image_is_a_stated_gap(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    for file in [*(folder / "test/good").iterdir(), folder / "test/crack/001.png"]:
        file.unlink()
    (folder / "ground_truth/crack/001_mask.png").unlink()
    cell = evaluated(tmp_path)
    assert cell.state == "done"
    assert "need normal and anomalous images; got 0 and 1" in cell.gaps["image_auroc"]
    assert "pixel_auroc" in cell.metrics  # of its own pixels


def test_a_small_map_is_brought_to_its_images_size(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    cell = evaluated(tmp_path, make=lambda _: Scripted(lambda image: noise(image)[::2, ::2]), export=tmp_path / "maps")
    assert cell.failures == ()
    found = cv2.imread(str(tmp_path / "maps/bottle/test/good/000.tiff"), cv2.IMREAD_UNCHANGED)
    assert found.shape == trees.SIZE


def test_a_data_set_without_masks_has_image_metrics_only_and_says_why(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    for file in (folder / "ground_truth/crack").iterdir():
        file.unlink()
    cell = evaluated(tmp_path)
    assert "image_auroc" in cell.metrics
    assert "pixel_auroc" not in cell.metrics
    assert cell.gaps["aupro@0.3"] == "the data set ships no masks for this category"


def test_a_detector_without_maps_has_image_metrics_only_and_says_why(tmp_path: Path) -> None:
    trees.loco(tmp_path / "data")
    cell = evaluated(tmp_path, "mvtec_loco", make=lambda _: ScoresOnly())
    assert "image_auroc_mean" in cell.metrics
    assert cell.gaps["au_spro@0.05"] == cell.gaps["seg_f1"] == "the model gives no maps"
    assert cell.gaps["pixel_threshold"] == "the model gives no maps"
    assert all(preview.map is None for preview in cell.previews)
    assert cell.scale is None


def test_maps_that_fail_leave_the_scores_and_say_why(tmp_path: Path) -> None:
    class Failing(ScoresOnly):
        def predict_anomaly_map(self, images: Any) -> Any:
            raise RuntimeError(f"out of order with {len(images)} images")

    trees.mvtec(tmp_path / "data")
    cell = evaluated(tmp_path, make=lambda _: Failing())
    assert "image_auroc" in cell.metrics
    assert cell.gaps["pixel_auroc"] == "the model gives no maps"
    assert any("out of order" in note for note in cell.notes)
    assert cell.failures == ()


def test_an_image_without_a_map_counts_in_nothing_where_others_have_one(tmp_path: Path, mixed: Path) -> None:
    class Tiring(ScoresOnly):
        def predict_anomaly_map(self, images: Any) -> list[NDArray[np.float32]]:
            if np.shape(images[0])[:2] == (20, 30):
                raise RuntimeError("out of order from here on")
            return [noise(one) for one in images]

    cell = evaluated(tmp_path, make=lambda _: Tiring())
    without = {row.file: row.error for row in cell.failures}
    assert f"{mixed.name}/test/crack/002.png" in without
    assert set(without.values()) == {"the model gave no map for it"}
    assert cell.test == len(cell.images) - len(without) > 0
    assert {"image_auroc", "pixel_auroc"} <= cell.metrics.keys()
    assert any("out of order" in note for note in cell.notes)
    assert any(f"{len(without)} of {len(cell.images)} test images failed" in note for note in cell.notes)


def test_a_missing_mask_is_refused_before_the_fit_or_allowed(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    (folder / "ground_truth/crack/001_mask.png").unlink()
    make = Counting()
    cell = evaluated(tmp_path, make=make)
    assert cell.state == "failed"
    assert make.made == 0
    assert "an anomalous image must have a mask" in (cell.reason or "")
    assert "001.png" in (cell.reason or "")
    cell = evaluated(tmp_path, missing_masks="allow")
    assert cell.state == "done"
    assert "1 anomalous images have no mask: all their pixels count as normal" in cell.notes


def test_an_empty_split_is_a_reason(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    for file in (folder / "train/good").iterdir():
        file.unlink()
    cell = evaluated(tmp_path)
    assert cell.state == "failed"
    assert "the train split of MVTec AD must have an image" in (cell.reason or "")


def test_one_image_to_fit_on_is_no_ground_for_a_threshold_and_that_is_said(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    for name in ("001.png", "002.png"):
        (folder / "train/good" / name).unlink()
    cell = evaluated(tmp_path)
    assert cell.threshold is not None
    assert cell.threshold.source == "train"
    assert cell.threshold.promise == "refused"
    assert "thresholds rest on the 1 image fitted on" in cell.notes[0]


def test_too_few_normal_images_for_sigma_are_a_gap(tmp_path: Path) -> None:
    trees.ad2(tmp_path / "data")  # one validation image
    cell = evaluated(tmp_path, "mvtec_ad2", method="mean_sigma")
    assert "'mean_sigma' needs at least 2 images; got 1" in cell.gaps["threshold"]
    assert cell.gaps["class_f1"] == "there is no threshold from normal images"
    assert "class_f1_best" in cell.metrics


def test_a_loco_category_without_its_config_says_that_the_numbers_are_not_official(tmp_path: Path) -> None:
    trees.loco(tmp_path / "data", config=False)
    cell = evaluated(tmp_path, "mvtec_loco")
    assert cell.state == "done"
    assert any("no defects_config.json" in note for note in cell.notes)


# Maps on disk, regions, many models.


def test_maps_are_exported_as_the_official_evaluator_reads_them(tmp_path: Path) -> None:
    trees.loco(tmp_path / "data")
    evaluated(tmp_path, "mvtec_loco", export=tmp_path / "maps")
    kinds = ("good", "logical_anomalies", "structural_anomalies")
    files = sorted(path.relative_to(tmp_path / "maps").as_posix() for path in (tmp_path / "maps").rglob("*.*"))
    assert files == [f"pushpins/test/{kind}/000.tiff" for kind in kinds]
    opened = MVTecLOCO(tmp_path / "data", "pushpins")
    for sample in opened.samples("test"):
        file = tmp_path / "maps/pushpins/test" / f"{sample.anomaly_type}" / "000.tiff"
        found = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert found.dtype == np.float32
        assert np.array_equal(found, noise(opened.image(sample)))


def test_two_images_never_share_a_map_file(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path / "data")
    trees.image(folder / "test/good/000.bmp", 99)
    cell = evaluated(tmp_path, export=tmp_path / "maps")
    assert "each map needs a file of its own" in (cell.reason or "")


def test_maps_of_several_models_lie_apart(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    models = (ModelSpec("a", "m"), ModelSpec("b", "m"))
    evaluated(tmp_path, models=models, export=tmp_path / "maps")
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["a", "b"]
    assert (tmp_path / "maps/a/bottle/test/good/000.tiff").exists()


def test_only_pixels_inside_a_region_count(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")  # masks fill the first row from the left
    cell = evaluated(tmp_path, models=(ModelSpec("model", "m", roi="0,0,5,8"),), image_score="map_max")
    assert cell.state == "done", cell.reason
    opened = Open("mvtec_ad", tmp_path / "data")("bottle")
    samples = opened.samples("test")
    first = opened.image(opened.samples("train")[0])
    colour = np.rint(first[:, :5].mean(axis=(0, 1))).astype(np.uint8)  # what the model sees outside

    def seen(sample: Any) -> NDArray[np.uint8]:
        pixels = np.full(first.shape, colour)
        pixels[:, :5] = opened.image(sample)[:, :5]
        return pixels

    maps = [noise(seen(sample))[:, :5] for sample in samples]
    masks = [opened.mask(sample)[:, :5] for sample in samples]
    assert cell.metrics["aupro@0.3"].value == pytest.approx(reference.pro(maps, masks, 0.3), abs=1e-5)
    assert [row.score for row in cell.images] == pytest.approx([float(one.max()) for one in maps])


def test_tiles_are_fitted_and_scored(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")

    class Means:
        def fit(self, tiles: Any) -> None:
            self.shapes = {one.shape for one in tiles}

        def score_and_map(self, tiles: Any) -> Any:
            assert {one.shape for one in tiles} == {(4, 4, 3)}
            return [one.mean() for one in tiles], [one.mean(axis=2) for one in tiles]

        def decision_function(self, tiles: Any) -> Any:
            return self.score_and_map(tiles)[0]

    spec = ModelSpec("tiled", "m", tiling={"tile_size": 4, "stride": 4})
    cell = evaluated(tmp_path, models=(spec,), make=lambda _: Means())
    assert cell.state == "done", cell.reason
    assert cell.metrics["pixel_auroc"].value > 0


@pytest.mark.parametrize("fit", ["tiles", "position"])
def test_a_chain_sees_the_whole_image_before_it_is_cut_into_tiles(tmp_path: Path, fit: str) -> None:
    folder = trees.mvtec(tmp_path / "data")
    rng = np.random.default_rng(0)
    for path in sorted(folder.rglob("*.png")):
        if "ground_truth" not in path.parts:
            cv2.imwrite(f"{path}", rng.integers(20, 120, (8, 12, 3), np.uint8))
    exposure = chain("industrial-exposure")

    class Means:
        def fit(self, tiles: Any) -> None:
            assert {one.shape for one in tiles} == {(4, 4, 3)}

        def decision_function(self, tiles: Any) -> Any:
            return [one.mean() for one in tiles]

    spec = ModelSpec(
        "both", "m", tiling={"tile_size": 4, "stride": 4, "fit_mode": fit, "calibration": "none"}, roi="0,0,8,8"
    )
    cell = evaluated(tmp_path, models=(spec,), make=lambda _: PresetDetector(detector=Means(), preset=exposure))
    assert cell.state == "done", cell.reason
    opened = Open("mvtec_ad", tmp_path / "data")("bottle")
    corrected = [exposure.apply(opened.image(sample))[:8, :8] for sample in opened.samples("test")]
    expected = [one.reshape(2, 4, 2, 4, 3).mean(axis=(1, 3, 4)).max() for one in corrected]
    assert [row.score for row in cell.images] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ()}, "needs a model; got none"),
        ({"models": (ModelSpec("a", "m"), ModelSpec("a", "n"))}, "'a' is there twice"),
        ({"models": (ModelSpec("a/b", "m"), ModelSpec("a:b", "n"))}, "would have one folder"),
        ({"jobs": 0}, "jobs must be 1 or more"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    trees.mvtec(tmp_path / "data")
    with pytest.raises(EvaluationError, match=message):
        evaluate(replace(plan("mvtec_ad", tmp_path / "data", tmp_path / "run"), **change))
    assert not (tmp_path / "run").exists()
