"""Checkpoints of the real anomalib: formats, safety, errors, pickles and commands, with tiny random-weight models."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models.anomalib_detector import AnomalibDetector
from pyimgano_industrial.models.anomalib_table import BY_CLASS, MODELS
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.runtime import DeviceError

pytest.importorskip("anomalib")
import torch
from anomalib.engine import Engine
from anomalib.models import image as anomalib_models
from anomalib.models.components import KCenterGreedy

from models.anomalib_tiny import IN_PLACE, SIZE, alias, checkpoint, engine_predicts, pictures, write
from pyimgano_industrial.models.anomalib.coreset import steady_coreset
from pyimgano_industrial.models.anomalib.fitting import new_runtime
from pyimgano_industrial.models.anomalib.offline import without_weights

pytestmark = pytest.mark.filterwarnings("ignore::pyimgano_industrial.core.errors.IndustrialWarning")
torch.set_num_threads(1)


def test_the_table_names_the_image_models_of_the_installed_anomalib() -> None:
    assert {model.class_name for model in MODELS} == set(anomalib_models.__all__)
    for model in MODELS:
        assert getattr(anomalib_models, model.class_name).__module__.split(".")[3] == model.folder


def test_a_checkpoint_of_anomalib_s_own_training_loads_and_one_of_ours_is_read_by_anomalib(tmp_path: Path) -> None:
    from anomalib.data import Folder

    write(pictures(8), tmp_path / "data" / "good")
    write(pictures(4, seed=3), tmp_path / "data" / "bad")
    data = Folder(
        name="parts", root=tmp_path / "data", normal_dir="good", abnormal_dir="bad", train_batch_size=4,
        eval_batch_size=4, num_workers=0, seed=0,
    )  # fmt: skip
    with without_weights():
        model = anomalib_models.Padim(**IN_PLACE["Padim"].options, visualizer=False)
    engine = Engine(accelerator="cpu", devices=1, logger=False, default_root_dir=tmp_path, enable_progress_bar=False)
    engine.fit(model=model, datamodule=data)
    trained = tmp_path / "trained.ckpt"
    engine.trainer.save_checkpoint(trained)
    files = write(pictures(2, seed=5), tmp_path / "new")
    detector = AnomalibDetector(checkpoint_path=trained, device="cpu", score="normalized")
    assert detector.class_name == "Padim"
    assert [one.partition("(")[0] for one in detector.preprocessing] == ["Resize", "Normalize"]
    expected, _ = engine_predicts(model, tmp_path / "new", tmp_path)
    np.testing.assert_allclose(detector.decision_function(files), expected, atol=1e-4)
    assert detector.thresholds.image == pytest.approx(float(model.post_processor.image_threshold))

    with without_weights():
        fitted = alias("Padim")(init_args=IN_PLACE["Padim"].options, device="cpu").fit(pictures(6))
        ours = fitted.save(tmp_path / "ours.ckpt")
        read_back = anomalib_models.Padim.load_from_checkpoint(ours)
    expected, _ = engine_predicts(read_back, tmp_path / "new", tmp_path, checkpoint=ours)
    np.testing.assert_allclose(fitted.decision_function(files), expected, rtol=1e-4, atol=1e-5)


class Marker:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", ["ckpt", "pt"])
def test_a_malicious_pickle_is_refused_and_does_nothing(suffix: str, tmp_path: Path) -> None:
    path, marker = tmp_path / f"evil.{suffix}", tmp_path / "marker"
    torch.save({"state_dict": {}, "hyper_parameters": {"backbone": Marker(marker)}, "model": Marker(marker)}, path)
    with pytest.raises(CheckpointError, match=r"would run code that the file chooses.*trust_checkpoint=True"):
        AnomalibDetector(checkpoint_path=path)
    assert not marker.exists()


def test_an_exported_pt_needs_trust_and_then_scores_alike(tmp_path: Path) -> None:
    path, module = checkpoint("Padim", tmp_path)
    exported = module.to_torch(tmp_path)
    with pytest.raises(CheckpointError, match=r"known settings \(anomalib\.models\.image\.padim"):
        AnomalibDetector(checkpoint_path=exported)
    with pytest.warns(IndustrialWarning, match="runs with your rights"):
        trusted = alias("Padim")(checkpoint_path=exported, device="cpu", trust_checkpoint=True)
    images = pictures(2, seed=1)
    ours = alias("Padim")(checkpoint_path=path, device="cpu").decision_function(images)
    np.testing.assert_allclose(trusted.decision_function(images), ours, rtol=1e-5)


def test_another_model_missing_tensors_a_cut_file_and_other_versions_are_named(tmp_path: Path) -> None:
    path, _ = checkpoint("Padim", tmp_path)
    with pytest.raises(
        CheckpointError, match=r"vision_patchcore_anomalib takes .* Patchcore; .* is of Padim: use vision_p"
    ):
        alias("Patchcore")(checkpoint_path=path)
    content = torch.load(path, weights_only=True)
    broken = tmp_path / "broken.ckpt"

    def refused(change: Any, message: str) -> None:
        changed = copy.deepcopy(content)
        change(changed)
        torch.save(changed, broken)
        with pytest.raises(CheckpointError, match=message):
            AnomalibDetector(checkpoint_path=broken)

    refused(
        lambda c: c["state_dict"].pop("model.gaussian.mean"), r"1 tensors are missing \(model.gaussian.mean\).*Lightn"
    )
    refused(
        lambda c: c["hyper_parameters"].update(depth=3),
        r"of anomalib [\d.]+ does not take: depth .*written with Lightning [\d.]+ and anomalib [\d.]+\)",
    )
    content.pop("anomalib_version")  # which anomalib's own training does not write
    refused(lambda c: c["hyper_parameters"].update(depth=3), r"does not take: depth .*written with Lightning [\d.]+\)")
    refused(lambda c: c["hyper_parameters"].update(backbone="resnet34"), "does not fit Padim|cannot be built")
    refused(lambda c: c["state_dict"]["_is_fitted"].fill_(0), "before its model was fitted")
    refused(lambda c: c.pop("hyper_parameters"), "it must hold state_dict and hyper_parameters")
    broken.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        AnomalibDetector(checkpoint_path=broken)


def test_maps_of_a_cropping_checkpoint_are_not_stretched(tmp_path: Path) -> None:
    path, _ = checkpoint("Dinomaly", tmp_path)
    detector = alias("Dinomaly")(checkpoint_path=path, device="cpu")
    with pytest.warns(IndustrialWarning, match="23% of the pixels, at the edges, are not looked at"):
        _, maps = detector.score_and_map(pictures(1, size=(128, 256)))
    assert maps[0].shape == (128, 256)
    assert (maps[0][:8] == maps[0].min()).all()
    assert np.ptp(maps[0][8:120, 16:240]) > 0


def test_pickles_carry_path_and_hash_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    path, _ = checkpoint("Padim", tmp_path)
    detector = alias("Padim")(checkpoint_path=path, device="cpu").fit(pictures(5))
    images = pictures(2, seed=1)
    stored = pickle.dumps(detector)
    assert len(stored) < 5000
    np.testing.assert_allclose(pickle.loads(stored).decision_function(images), detector.decision_function(images))
    np.testing.assert_array_equal(detector.predict(images), detector.decision_function(images) > detector.threshold_)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CheckpointError, match="is not the file that this detector was made with"):
        pickle.loads(stored).decision_function(images)


def test_a_model_fitted_in_place_pickles_whole() -> None:
    with without_weights():
        detector = alias("Padim")(init_args=IN_PLACE["Padim"].options, image_size=SIZE, device="cpu").fit(pictures(6))
    images = pictures(2, seed=1)
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_allclose(again.decision_function(images), detector.decision_function(images), rtol=1e-6)


def test_weights_are_not_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="not in the local cache, and nothing is fetched unasked"):
        alias("Padim")(init_args={"backbone": "resnet26t"}, device="cpu").fit(pictures(2))


def test_arrays_files_grey_and_mixed_sizes_score_alike(tmp_path: Path) -> None:
    path, _ = checkpoint("Padim", tmp_path)
    detector = alias("Padim")(checkpoint_path=path, device="cpu")
    images = [*pictures(2), *pictures(1, size=(50, 70)), pictures(1)[0][..., 0]]
    scores, maps = detector.score_and_map(images)
    assert [one.shape for one in maps] == [(80, 96), (80, 96), (50, 70), (80, 96)]
    files = write(pictures(2), tmp_path / "files")
    np.testing.assert_allclose(detector.decision_function(files), scores[:2], rtol=1e-5)
    grey = np.repeat(images[3][..., None], 3, axis=2)
    np.testing.assert_allclose(detector.decision_function([grey]), scores[3:], rtol=1e-5)


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    path, _ = checkpoint("Padim", tmp_path)
    with pytest.raises(DeviceError, match="did you mean 'cuda'"):
        alias("Padim")(checkpoint_path=path, device="cuuda")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="got 'cuda:0', and torch sees no cuda device"):
            alias("Padim")(checkpoint_path=path, device="cuda:0")


def test_in_place_models_are_those_with_a_memory_bank() -> None:
    from anomalib.models.components import MemoryBankMixin

    banks = {name for name in BY_CLASS if issubclass(getattr(anomalib_models, name), MemoryBankMixin)}
    assert banks | {"WinClip"} == {name for name, model in BY_CLASS.items() if model.fit == "in place"}


@pytest.mark.parametrize("rows", [[100, 20], [60, 3]])
def test_the_coreset_in_steady_memory_is_anomalib_s_own(rows: list[int]) -> None:
    patches = torch.randn(rows, generator=torch.Generator().manual_seed(0))

    def chosen() -> list[int]:
        torch.manual_seed(3)
        np.random.seed(3)
        return KCenterGreedy(patches, 0.3).select_coreset_idxs()

    expected = chosen()
    with steady_coreset():
        assert chosen() == expected
    assert len(set(expected)) == len(expected)


@pytest.mark.parametrize("name", ["MHPatchcore", "Rad"])
def test_image_size_is_what_the_model_sees_uncropped(name: str) -> None:
    tiny = IN_PLACE[name]
    with without_weights():
        runtime = new_runtime(alias(name).model, tiny.options, image_size=(64, 96), download=False, device="cpu")
    assert runtime.preprocessing[0].startswith("Resize(size=[64, 96]")
    assert not any("Crop" in step for step in runtime.preprocessing)
    assert runtime.prepare(pictures(1)[0]).shape == (1, 3, 64, 96)


def test_sizes_that_cannot_be_are_refused() -> None:
    with without_weights():
        with pytest.raises(CheckpointError, match=r"SuperADD does not take images of 64 x 64 .* larger image_size"):
            alias("SuperADD")(init_args=IN_PLACE["SuperADD"].options | {"patch_size": 80}, image_size=SIZE).fit(
                pictures(1)
            )
        with pytest.raises(CheckpointError, match=r"image_size must be \(240, 240\), .* got \(64, 64\)"):
            alias("WinClip")(image_size=SIZE, device="cpu").fit(pictures(1))
