"""Seams: pyimgano-train tiles as `adaptation.tiling` says with all our keys, and what it saves loads again.

A model fitted on tiles is a model, which the host's checkpoint keeps. Where there is one for each position, or where
scores are measured by what is normal at their scale, the checkpoint keeps the tiled detector as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import make_dataclass
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.evaluation.detectors import standardises
from pyimgano_industrial.host import tiled_models, tiling_keys
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.tiling.detector import TiledDetector

_MARK = TiledDetector.__module__.encode()  # a pickle names the class of what it holds first
_HEAD = 256  # bytes


def apply(host: ModuleType) -> None:
    """Apply the part that belongs to the module."""
    _PARTS[host.__name__](host)


def _parse(host: ModuleType) -> None:
    """Read our keys beside the host's; a key that is nobody's is an error."""
    parse = expect(host, "_parse_tiling_config", "a_map")
    config_class = expect(host, "TilingConfig", *tiling_keys.HOSTS)
    ours = [(key, Any, None) for key in tiling_keys.OURS]
    wider = make_dataclass("TilingConfig", ours, bases=(config_class,), frozen=True)

    @wraps(parse)
    def _parse_tiling_config(a_map: Mapping[str, Any]) -> Any:
        config = parse(a_map)
        section = a_map.get("tiling") or {}
        read = {key: getattr(config, key) for key in tiling_keys.HOSTS if section.get(key) is not None}
        own = tiling_keys.given({**section, **read})  # the host reads numbers in quotes, too
        return wider(**vars(config), **own) if own else config

    host._parse_tiling_config = _parse_tiling_config  # type: ignore[attr-defined]  # the host's module attribute


def _tile(host: ModuleType) -> None:
    """Make the tiled detector. It is fitted once: the workbench keeps images back for its own calibration."""
    original = expect(host, "apply_tiling", "detector", "tiling")

    @wraps(original)
    def apply_tiling(detector: Any, tiling: Any) -> Any:
        made = original(detector, tiling)
        if not isinstance(made, TiledDetector):
            return made  # no tiling asked for, or a class of the caller's in the place of ours
        chosen = {key: getattr(tiling, key) for key in tiling_keys.HOSTS}
        own = tiling_keys.keywords(_own(tiling))
        if not standardises(own):
            own.setdefault("calibration", "none")
        return tiled_models.tiled(detector, chosen | own)

    host.apply_tiling = apply_tiling  # type: ignore[attr-defined]  # the host's module attribute
    rebind("apply_tiling", original, apply_tiling)


def _export(host: ModuleType) -> None:
    """Write our keys into infer_config.json, and remember how the model is made, for those of positions and folds."""
    tiled_models.remember(host)
    build = expect(host, "build_infer_config_payload", "config")

    @wraps(build)
    def build_infer_config_payload(*, config: Any, report: Mapping[str, Any]) -> Any:
        payload = build(config=config, report=report)
        payload["adaptation"]["tiling"].update(_own(config.adaptation.tiling))
        return payload

    host.build_infer_config_payload = build_infer_config_payload  # type: ignore[attr-defined]  # the host's


def _from_run(host: ModuleType) -> None:
    """Let pyimgano-infer --from-run find our keys in the run's configuration."""
    extract = expect(host, "_extract_from_run_optional_payloads", "cfg")

    @wraps(extract)
    def _extract_from_run_optional_payloads(cfg: Any) -> Any:
        knobs, payload = extract(cfg)
        return knobs, payload if payload is None else payload | _own(cfg.adaptation.tiling)

    host._extract_from_run_optional_payloads = _extract_from_run_optional_payloads  # type: ignore[attr-defined]  # as above


def _validate(host: ModuleType) -> None:
    """Let the validation of infer_config.json know our keys and values, and no others."""
    validate = expect(host, "validate_infer_config_payload", "payload")
    expect(host, "_ALLOWED_TILING_SCORE_REDUCE").add("quantile")

    @wraps(validate)
    def validate_infer_config_payload(payload: Mapping[str, Any], **options: Any) -> Any:
        validation = validate(payload, **options)
        tiling_keys.given((validation.payload.get("adaptation") or {}).get("tiling") or {})
        return validation

    host.validate_infer_config_payload = validate_infer_config_payload  # type: ignore[attr-defined]  # the host's


def _save(host: ModuleType) -> None:
    """Keep a tiled detector as a whole where the detector inside is not all that was fitted."""
    save = expect(host, "save_checkpoint", "detector", "path")

    @wraps(save)
    def save_checkpoint(detector: Any, path: str | Path) -> Path:
        tiled = _tiled_in(detector)
        if tiled is None or not tiled.more_than_its_detector:
            return save(detector, path)  # type: ignore[no-any-return]  # the host's function
        from pyimgano.models.serialization import save_model

        return save_model(tiled, path)  # type: ignore[no-any-return]  # likewise

    host.save_checkpoint = save_checkpoint  # type: ignore[attr-defined]  # the host's module attribute
    rebind("save_checkpoint", save, save_checkpoint)


def _restore(host: ModuleType) -> None:
    """Load such a checkpoint: into a tiled detector, or for the one that pyimgano-infer wraps round the model later."""
    load = expect(host, "load_checkpoint_into_detector", "detector", "checkpoint_path")

    @wraps(load)
    def load_checkpoint_into_detector(detector: Any, checkpoint_path: str | Path) -> None:
        path = Path(checkpoint_path)
        if not _holds_tiled(path):
            load(detector, checkpoint_path)
            return
        from pyimgano.models.serialization import load_model

        fitted, tiled = load_model(path), _tiled_in(detector)
        if not fitted.more_than_its_detector:
            load(detector, checkpoint_path)  # the host takes the detector inside
        elif tiled is None:
            tiled_models.keep(detector, fitted)
        else:
            tiled.restore(fitted)

    host.load_checkpoint_into_detector = load_checkpoint_into_detector  # type: ignore[attr-defined]  # the host's
    rebind("load_checkpoint_into_detector", load, load_checkpoint_into_detector)


_PARTS = {
    "pyimgano.workbench.config_adaptation_section_parser": _parse,
    "pyimgano.workbench.adaptation_runtime": _tile,
    "pyimgano.services.workbench_service": _export,
    "pyimgano.services.infer_context_service": _from_run,
    "pyimgano.inference.validate_infer_config": _validate,
    "pyimgano.training.checkpointing": _save,
    "pyimgano.workbench.checkpoint_restore": _restore,
}


def _holds_tiled(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)


def _own(tiling: Any) -> dict[str, Any]:
    """Return what a configuration says of our keys."""
    return {key: getattr(tiling, key) for key in tiling_keys.OURS if getattr(tiling, key, None) is not None}


def _tiled_in(detector: Any) -> TiledDetector | None:
    """Return the tiled detector that a detector is, or wraps."""
    while not isinstance(detector, TiledDetector):
        if "detector" not in getattr(detector, "__dict__", {}):
            return None
        detector = vars(detector)["detector"]
    return detector
