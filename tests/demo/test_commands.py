"""The host's commands: how they are shown, what they write, and how their failure reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pyimgano_industrial.demo.commands import (
    HostCommandError,
    Measured,
    benchmark_command,
    infer_command,
    read_benchmark,
    read_inferred,
    run_host,
    shown,
)


def write_records(maps: Path, *records: dict[str, object]) -> None:
    maps.mkdir()
    (maps / "scores.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


def test_a_command_is_shown_as_a_user_types_it() -> None:
    command = benchmark_command(
        dataset="btad", root=Path("my data"), category="01", model="m", pixel=True, output=Path("r.json")
    )

    assert shown(command) == (
        "pyimgano benchmark --dataset btad --root 'my data' --category 01 --model m --pixel --output r.json"
    )


def test_a_data_set_without_masks_is_benchmarked_without_pixels() -> None:
    command = benchmark_command(dataset="d", root=Path("r"), category="c", model="m", pixel=False, output=Path("o"))

    assert "--pixel" not in command
    assert "--no-save-run" in command  # or the host leaves a folder of runs behind


def test_a_long_list_of_inputs_is_cut_when_shown() -> None:
    images = [Path(f"{n}.png") for n in range(30)]
    text = shown(infer_command(model="m", fit=Path("fit"), images=images, maps=Path("maps")))

    assert text.endswith("--input 0.png ... (30 inputs)")


def test_a_failure_names_the_command_its_code_and_its_last_lines() -> None:
    with pytest.raises(HostCommandError) as raised:
        run_host(["no-such-command"])

    assert "`pyimgano no-such-command` must succeed; it ended with exit code 2" in str(raised.value)
    assert "Unknown command: no-such-command" in str(raised.value)


def test_a_failure_with_the_plugins_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIMGANO_DISABLE_PLUGIN_AUTOLOAD", "1")

    with pytest.raises(HostCommandError, match="unset PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"):
        run_host(["no-such-command"])


def test_a_report_is_read_and_numbers_that_are_none_stay_away(tmp_path: Path) -> None:
    results = {"auroc": 0.75, "pixel_metrics": {"pixel_auroc": float("nan"), "aupro": 0.5}}
    (tmp_path / "report.json").write_text(json.dumps({"results": results}), encoding="utf-8")

    measured = read_benchmark(tmp_path / "report.json", seconds=2.0)

    assert measured == Measured(image_auroc=0.75, pixel_auroc=None, pixel_ap=None, aupro=0.5, seconds=2.0)


def test_scores_and_maps_are_read_in_order(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.full((2, 3), 7, np.float32))
    record = {"input": "a.png", "score": 1.5, "anomaly_map": {"path": str(tmp_path / "0.npy")}}
    write_records(tmp_path / "maps", record)

    (one,) = read_inferred(tmp_path / "maps", [Path("a.png")])

    assert one.score == 1.5
    assert one.map().tolist() == [[7, 7, 7], [7, 7, 7]]


def test_a_model_without_maps_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write_records(tmp_path / "maps", {"input": "a.png", "score": 1.0})

    with pytest.raises(HostCommandError, match="1 of 1 have none: choose a model that `pyimgano benchmark"):
        read_inferred(tmp_path / "maps", [Path("a.png")])
