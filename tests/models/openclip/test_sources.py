"""Where a model and its weights come from: a configuration of one's own, open_clip's cache, an announced download."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from models.openclip.tiny import CONFIGS, NAMES, write_config
from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.clip_settings import ClipError, ClipSettings, WeightsError
from pyimgano_industrial.models.openclip.engine import Engine

NAME = "tiny-ViT-B-16"


@pytest.fixture
def tag(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that gives the tiny model a tag of weights in open_clip's own table."""

    def add(**config: Any) -> str:
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, NAME, {"acme": open_clip.pretrained._pcfg(**config)})
        return "acme"

    return add


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return dict(open_clip.create_model(NAME, pretrained=None).state_dict())


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def holds(engine: Engine, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, state[key]) for key, tensor in engine._model.state_dict().items())


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", NAMES)
def test_without_weights_nothing_is_downloaded(name: str) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (2, 64, 90, 3), np.uint8))
    scores = OpenCLIPBatch(openclip_model_name=name, openclip_pretrained=None).decision_function(images)
    assert np.isfinite(scores).all()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "own.safetensors", "own.bin"])
def test_weights_in_open_clip_s_cache_are_read_without_a_network(
    file: str, tag: Any, state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is the hub's: models--OWNER--NAME/snapshots/REVISION/FILE, the revision in refs/main."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--acme--tiny" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("0" * 40)
    save_file(state, snapshot / file) if file.endswith(".safetensors") else torch.save(state, snapshot / file)
    found = tag(hf_hub="acme/tiny/" if file.startswith("open_clip") else "acme/tiny/own.bin")
    assert holds(Engine(ClipSettings(NAME, found)), state)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real server of a folder on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()
        thread.join()


def test_a_download_is_announced_and_happens_once(
    server: tuple[str, Path],
    tag: Any,
    state: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    url, folder = server
    torch.save(state, folder / "tiny.pt")
    found = tag(url=f"{url}/tiny.pt")
    assert holds(Engine(ClipSettings(NAME, found)), state)
    said = capsys.readouterr().err
    assert f"pyimgano-industrial: downloads the weights acme of {NAME} from {url}/tiny.pt" in said
    (folder / "tiny.pt").unlink()
    assert holds(Engine(ClipSettings(NAME, found)), state)
    assert "downloads" not in capsys.readouterr().err


def test_a_download_that_fails_names_the_file(
    server: tuple[str, Path], tag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"fetch the file tiny\.pt of http.*copy it here and pass checkpoint_path=FILE"
    ):
        Engine(ClipSettings(NAME, tag(url=f"{server[0]}/tiny.pt")))


def test_a_configuration_of_one_s_own_is_a_model(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    images = list(np.random.default_rng(0).integers(0, 256, (3, 64, 90, 3), np.uint8))
    for kind in (OpenCLIPPromptPatch, OpenCLIPFewShot, OpenCLIPBatch):
        own = kind(openclip_model_name=str(path), openclip_pretrained=None).fit(images)
        known = kind(openclip_model_name=NAME, openclip_pretrained=None).fit(images)
        np.testing.assert_array_equal(own.decision_scores_, known.decision_scores_)
    assert own.engine.settings.name == path.stem


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("own.json", "{", "cannot read the configuration"),
        ("own.json", "[]", "with embed_dim, text_cfg, vision_cfg"),
        ("ViT-B-32.json", json.dumps(CONFIGS[NAME]), "the name of another of open_clip's models, ViT-B-32: rename"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_an_error(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ClipError, match=said):
        Engine(ClipSettings(str(tmp_path / name)))


def test_a_configuration_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ClipError, match=r"openclip_model_name must be there; no.own\.json is not"):
        OpenCLIPPromptPatch(openclip_model_name="no/own.json")
