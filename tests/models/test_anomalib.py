"""The real anomalib with tiny random-weight models: ours predicts what its Engine predicts (tox run -e anomalib)."""

from __future__ import annotations

import copy
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from distributions import run, script
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models import anomalib_aliases
from pyimgano_industrial.models.anomalib_detector import AnomalibDetector, AnomalibScorer
from pyimgano_industrial.models.anomalib_table import BY_CLASS, MODELS
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.runtime import DeviceError

pytest.importorskip("anomalib")
import cv2
import torch
from anomalib.data import PredictDataset
from anomalib.engine import Engine
from anomalib.models import image as anomalib_models

from pyimgano_industrial.models.anomalib.fitting import save
from pyimgano_industrial.models.anomalib.offline import without_weights

pytestmark = pytest.mark.filterwarnings("ignore::pyimgano_industrial.core.errors.IndustrialWarning")
torch.set_num_threads(1)
SIZE = (64, 64)
IN_PLACE: dict[str, dict[str, Any]] = {
    "Padim": {"backbone": "resnet18", "layers": ["layer1"], "n_features": 16},
    "Patchcore": {"backbone": "resnet18", "layers": ["layer2"]},
    "Dfm": {"backbone": "resnet18", "layer": "layer1"},
    "Dfkde": {"backbone": "resnet18", "n_pca_components": 4},
}
TRAINED: dict[str, dict[str, Any]] = {
    "Stfpm": {"backbone": "resnet18"},
    "Fastflow": {"backbone": "resnet18", "flow_steps": 2},
    "ReverseDistillation": {"backbone": "resnet18"},
    "EfficientAd": {},
    "Supersimplenet": {"backbone": "resnet18"},
    "Ganomaly": {"n_features": 4, "latent_vec_size": 8},
    "Dinomaly": {"encoder_name": "vit_small_patch14_dinov2"},
}
DEFAULT_SIZE = {"EfficientAd", "Dinomaly"}


def pictures(count: int, seed: int = 0, *, size: tuple[int, int] = (80, 96)) -> list[NDArray[np.uint8]]:
    scene = 90 + 60 * np.sin(np.linspace(0, 6, size[1])) * np.cos(np.linspace(0, 4, size[0]))[:, None]
    noise = np.random.default_rng(seed).normal(0, 12, (count, *size, 3))
    return list(np.clip(scene[..., None] + noise, 0, 255).astype(np.uint8))


def write(images: list[NDArray[np.uint8]], folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:03}.png"), image[..., ::-1])
    return sorted(map(str, folder.glob("*.png")))


def checkpoint(name: str, folder: Path) -> tuple[Path, Any]:
    """Return a checkpoint with thresholds and a range, and the very module that it was written from."""
    torch.manual_seed(0)
    path = folder / f"{name}.ckpt"
    with without_weights():
        if name in IN_PLACE:
            detector = alias(name)(init_args=IN_PLACE[name], image_size=SIZE, device="cpu").fit(pictures(6))
            module = detector._runtime.module
        else:
            model_class = getattr(anomalib_models, name)
            own = {} if name in DEFAULT_SIZE else {"pre_processor": model_class.configure_pre_processor(SIZE)}
            module = model_class(**TRAINED[name], **own, evaluator=False, visualizer=False).eval()
    limits = {"_image_threshold": 0.4, "_pixel_threshold": 0.5, "image_min": 0, "image_max": 2, "pixel_min": 0}
    for buffer, value in {**limits, "pixel_max": 3}.items():
        getattr(module.post_processor, buffer).fill_(value)
    save(module, path)
    return path, module


def alias(name: str) -> Any:
    return getattr(anomalib_aliases, name)


def engine_predicts(module: Any, folder: Path, root: Path) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    engine = Engine(accelerator="cpu", devices=1, logger=False, default_root_dir=root, enable_progress_bar=False)
    found = engine.predict(model=module, dataset=PredictDataset(folder))
    scores = np.concatenate([one.pred_score.float().reshape(-1).numpy() for one in found])
    if found[0].anomaly_map is None:
        return scores, None
    return scores, np.stack([one.anomaly_map.float().numpy().squeeze() for one in found])


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_table_names_the_image_models_of_the_installed_anomalib() -> None:
    assert {model.class_name for model in MODELS} == set(anomalib_models.__all__)
    for model in MODELS:
        assert getattr(anomalib_models, model.class_name).__module__.split(".")[3] == model.folder


@pytest.mark.usefixtures("denied")
@pytest.mark.parametrize("name", [*IN_PLACE, *TRAINED])
def test_scores_and_maps_are_those_of_anomalib_s_engine(name: str, tmp_path: Path) -> None:
    path, module = checkpoint(name, tmp_path)
    files = write(pictures(3, seed=1), tmp_path / "images")
    torch.manual_seed(1)  # a tensor that did not come from the file would differ now
    detector = alias(name)(checkpoint_path=path, device="cpu", batch_size=1)
    scaled = alias(name)(checkpoint_path=path, device="cpu", batch_size=1, score="normalized")
    assert detector.thresholds.image == pytest.approx(0.4)
    expected, expected_maps = engine_predicts(module, tmp_path / "images", tmp_path)
    np.testing.assert_allclose(scaled.decision_function(files), expected, atol=1e-4)
    module.post_processor = None
    expected, expected_maps = engine_predicts(module, tmp_path / "images", tmp_path)
    np.testing.assert_allclose(detector.decision_function(files), expected, rtol=1e-4, atol=1e-4)
    if expected_maps is None:
        assert not isinstance(detector, AnomalibDetector)
        return
    _, maps = detector._running()([cv2.imread(file)[..., ::-1] for file in files], normalized=False)
    np.testing.assert_allclose(np.stack(maps), expected_maps, rtol=1e-4, atol=1e-4)
    scores, placed = detector.score_and_map(files)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    assert {one.shape for one in placed} == {(80, 96)}
    assert np.ptp(placed[0]) > 0


def test_a_checkpoint_of_anomalib_s_own_training_loads_and_one_of_ours_is_read_by_anomalib(tmp_path: Path) -> None:
    from anomalib.data import Folder

    write(pictures(8), tmp_path / "data" / "good")
    write(pictures(4, seed=3), tmp_path / "data" / "bad")
    data = Folder(
        name="parts", root=tmp_path / "data", normal_dir="good", abnormal_dir="bad", train_batch_size=4,
        eval_batch_size=4, num_workers=0, seed=0,
    )  # fmt: skip
    with without_weights():
        model = anomalib_models.Padim(**IN_PLACE["Padim"], visualizer=False)
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
        fitted = alias("Padim")(init_args=IN_PLACE["Padim"], device="cpu").fit(pictures(6))
        ours = fitted.save(tmp_path / "ours.ckpt")
        read_back = anomalib_models.Padim.load_from_checkpoint(ours)
    expected, _ = engine_predicts(read_back, tmp_path / "new", tmp_path)
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
    refused(lambda c: c["hyper_parameters"].update(depth=3), "does not take: depth .*written with Lightning")
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
        detector = alias("Padim")(init_args=IN_PLACE["Padim"], image_size=SIZE, device="cpu").fit(pictures(6))
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


@pytest.mark.parametrize("name", ["Padim", "Stfpm"])
def test_openvino_and_onnx_exports_give_raw_scores_and_the_threshold(name: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    path, module = checkpoint(name, tmp_path)
    images = pictures(3, seed=1, size=SIZE)
    ours = alias(name)(checkpoint_path=path, device="cpu")
    scores, maps = ours.score_and_map(images)
    module.cpu().eval()
    for exported in (module.to_onnx(tmp_path / "onnx"), module.to_openvino(tmp_path / "openvino")):
        detector: AnomalibScorer = alias(name)(checkpoint_path=exported, device="cpu")
        found, found_maps = detector.score_and_map(images)  # type: ignore[attr-defined]  # these two have maps
        np.testing.assert_allclose(found, scores, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found_maps, maps, rtol=1e-3, atol=1e-3)
        assert detector.thresholds.image == pytest.approx(0.4, abs=1e-5)


@pytest.mark.slow
def test_host_commands_run_a_dinomaly_checkpoint(tmp_path: Path) -> None:
    path, _ = checkpoint("Dinomaly", tmp_path)
    root = tmp_path / "ad2" / "can"
    for split, count in (("train/good", 3), ("validation/good", 2), ("test_public/good", 2), ("test_public/bad", 2)):
        for index, file in enumerate(write(pictures(count), root / split)):
            Path(file).rename(Path(file).with_name(f"{index:03}_regular.png"))
    (root / "test_public/ground_truth/bad").mkdir(parents=True)
    mask = np.zeros((80, 96), np.uint8)
    mask[30:50, 30:60] = 255
    for index in range(2):
        cv2.imwrite(str(root / f"test_public/ground_truth/bad/{index:03}_regular_mask.png"), mask)
    model = ["--model", "vision_dinomaly_anomalib", "--checkpoint-path", str(path), "--device", "cpu"]
    report = tmp_path / "r.json"
    run(
        script("pyimgano-benchmark"), "--dataset", "mvtec_ad2", "--root", str(root.parent), "--category", "can",
        *model, "--pixel", "--output", str(report),
    )  # fmt: skip
    assert "pixel_auroc" in report.read_text(encoding="utf-8")
    lines = tmp_path / "out.jsonl"
    run(
        script("pyimgano-infer"), *model, "--train-dir", str(root / "train/good"), "--input",
        str(root / "test_public/bad"), "--include-maps", "--save-maps", str(tmp_path / "maps"),
        "--save-jsonl", str(lines),
    )  # fmt: skip
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 2
    assert {np.load(file).shape for file in (tmp_path / "maps").glob("*.npy")} == {(80, 96)}


def test_in_place_models_are_those_with_a_memory_bank() -> None:
    from anomalib.models.components import MemoryBankMixin

    banks = {name for name in BY_CLASS if issubclass(getattr(anomalib_models, name), MemoryBankMixin)}
    assert banks | {"WinClip"} == {name for name, model in BY_CLASS.items() if model.fit == "in place"}
