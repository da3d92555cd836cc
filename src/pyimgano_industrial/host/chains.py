"""Seams: chains of image steps: as values of --preset, around any model, and as the host's preprocessing schemes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host import settings
from pyimgano_industrial.host.contract import expect, on_model
from pyimgano_industrial.host.presets import preset_rows
from pyimgano_industrial.presets.catalog import chain
from pyimgano_industrial.presets.chains import Chain, ProfileStep
from pyimgano_industrial.presets.detector import PresetDetector
from pyimgano_industrial.presets.pixels import PresetError


def apply(host: ModuleType) -> None:
    """Apply the part that belongs to the module; a module that makes models makes them behind the chain."""
    _PARTS.get(host.__name__, _models)(host)


def chosen(preset: str | None) -> Chain | None:
    """Return the chain that a value of --preset names: that of a row, or a file .json; None for another preset."""
    row = next((row for row in preset_rows("chain") if row.name == preset), None)
    if row is not None:
        return chain(resolve(row))
    return chain(preset) if preset is not None and preset.endswith(".json") else None


def _models(host: ModuleType) -> None:
    on_model(host, lambda detector, *_: _behind(detector))


def _inference(host: ModuleType) -> None:
    wrap = expect(host, "apply_infer_detector_wrappers", "request")

    @wraps(wrap)
    def apply_infer_detector_wrappers(request: Any) -> Any:
        wrapped = wrap(request)
        return replace(wrapped, detector=_behind(wrapped.detector, u16_max=request.u16_max))

    host.apply_infer_detector_wrappers = apply_infer_detector_wrappers  # type: ignore[attr-defined]  # the host's


def _behind(detector: Any, *, u16_max: int | None = None) -> Any:
    if settings.chain is None or isinstance(detector, PresetDetector):
        return detector
    return PresetDetector(detector=detector, preset=settings.chain, u16_max=u16_max)


def _preprocessing(host: ModuleType) -> None:
    """Let the host's preprocessing carry a chain where a payload has one, and fit it with the detector."""
    knobs_class = expect(host, "IlluminationContrastKnobs")
    parse = expect(host, "parse_illumination_contrast_knobs", "payload")
    run = expect(host, "apply_illumination_contrast", "image", "knobs")
    detector_class = expect(host, "PreprocessingDetector")
    fit = expect(detector_class, "fit")
    expect(detector_class, "_preprocess_item")

    @wraps(parse)
    def parse_illumination_contrast_knobs(payload: Mapping[str, Any]) -> Any:
        return _with_chain(parse(payload), payload.get("chain"))

    @wraps(run)
    def apply_illumination_contrast(image: Any, *, knobs: Any = None, **options: Any) -> Any:
        own = getattr(knobs, "chain", None)
        return run(image, knobs=knobs, **options) if own is None else own.apply(image)

    @wraps(fit)
    def fit_with_chain(self: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        knobs = self.illumination_contrast
        own = getattr(knobs, "chain", None)
        if own is not None and own.waits:
            x = list(x)
            plain = detector_class(detector=None, u16_max=self.u16_max)
            self.illumination_contrast = _with_chain(knobs, own.fit(plain._preprocess_item(item) for item in x))
        return fit(self, x, y, **kwargs)

    def _with_chain(knobs: Any, content: Any) -> Any:
        return knobs if content is None else carrying(knobs_class, knobs, _steps_alone(chain(content)))

    host.parse_illumination_contrast_knobs = parse_illumination_contrast_knobs  # type: ignore[attr-defined]  # the host's
    host.apply_illumination_contrast = apply_illumination_contrast  # type: ignore[attr-defined]  # the host's
    detector_class.fit = fit_with_chain


def _training(host: ModuleType) -> None:
    """Let pyimgano-train read a chain from its configuration."""
    knobs_class = expect(host, "IlluminationContrastKnobs")
    parse = expect(host, "_parse_illumination_contrast_knobs", "ic_map")

    @wraps(parse)
    def _parse_illumination_contrast_knobs(ic_map: Mapping[str, Any]) -> Any:
        knobs = parse(ic_map)
        if ic_map.get("chain") is None:
            return knobs
        own = _steps_alone(chain(ic_map["chain"]))
        if own.waits:
            raise PresetError(
                f"pyimgano-train keeps no profile that it fits: {own.name!r} must name a file. Make one with "
                f"`pyimgano-industrial drift --fit DIR --profile line.json`, and give the chain "
                f'{{"step": "camera_profile", "profile": "line.json"}}'
            )
        return carrying(knobs_class, knobs, own)

    host._parse_illumination_contrast_knobs = _parse_illumination_contrast_knobs  # type: ignore[attr-defined]  # as above


def _exports(host: ModuleType) -> None:
    """Let pyimgano-train write the chain into infer_config.json, where pyimgano-infer finds it."""
    build = expect(host, "build_infer_config_payload", "config")

    @wraps(build)
    def build_infer_config_payload(*args: Any, **kwargs: Any) -> Any:
        payload = build(*args, **kwargs)
        config = kwargs.get("config", args[0] if args else None)
        own = getattr(getattr(getattr(config, "preprocessing", None), "illumination_contrast", None), "chain", None)
        if own is not None:
            payload["preprocessing"]["illumination_contrast"]["chain"] = _anywhere(own).to_dict()
        return payload

    host.build_infer_config_payload = build_infer_config_payload  # type: ignore[attr-defined]  # the host's


def _steps_alone(own: Chain) -> Chain:
    """Return a chain that a preprocessing scheme can be: schemes change images, and fit nothing."""
    if own.variants is not None:
        raise PresetError(
            f"a preprocessing scheme fits on no variants, which {own.name!r} asks for: give it as --preset of "
            f"pyimgano-infer, pyimgano-benchmark or `pyimgano-industrial evaluate`, or take industrial-camera-profile"
        )
    return own


def _anywhere(own: Chain) -> Chain:
    """Return a chain that names its profiles by absolute paths: inference is run from another folder than training."""
    steps = [
        replace(step, path=f"{Path(step.path).absolute()}") if isinstance(step, ProfileStep) and step.path else step
        for step in own.steps
    ]
    return replace(own, steps=tuple(steps))


def carrying(knobs_class: type, knobs: Any, own: Chain) -> Any:
    """Return the host's knobs with a chain, which takes their place when they are applied."""
    carrier = type("ChainKnobs", (knobs_class,), {"chain": own, "__reduce__": _reduce})
    return carrier(**vars(knobs))


def _reduce(self: Any) -> Any:
    return carrying, (type(self).__mro__[1], type(self).__mro__[1](**vars(self)), self.chain)


_PARTS = {
    "pyimgano.services.infer_wrapper_service": _inference,
    "pyimgano.inference.preprocessing": _preprocessing,
    "pyimgano.workbench.config_preprocessing_section_parser": _training,
    "pyimgano.services.workbench_service": _exports,
}
