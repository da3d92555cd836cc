"""Chains of steps: named, composed with +, kept as JSON, and run with neighbouring tone curves fused into one pass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pyimgano_industrial.core.files import written
from pyimgano_industrial.presets.augmentation import CameraRobust, Strength
from pyimgano_industrial.presets.curves import apply_curves
from pyimgano_industrial.presets.pixels import Image, PresetError, check_image
from pyimgano_industrial.presets.profile import CameraProfile
from pyimgano_industrial.presets.steps import Step

VERSION = 1


@dataclass(frozen=True)
class ProfileStep:
    """The step "camera_profile": brings an image back to a profile, which `fit` makes where there is none yet.

    profile: a fitted profile; None waits for `Chain.fit`
    path:    the file that the profile was read from
    tolerance: see `CameraProfile.correct`
    """

    profile: CameraProfile | None = None
    path: str | None = None
    tolerance: tuple[float, float] = (2.0, 3.0)

    name = "camera_profile"
    curve = None

    def __call__(self, image: Image) -> Image:
        """Return the image as the line would have shown it."""
        if self.profile is None:
            raise PresetError(
                "the step 'camera_profile' has no profile yet: fit the chain on good images, or name a file: "
                '{"step": "camera_profile", "profile": "line.json"}'
            )
        return self.profile.correct(image, tolerance=self.tolerance)[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; a fitted profile is named by its file."""
        said: dict[str, Any] = {"step": self.name}
        if self.path is not None:
            said["profile"] = self.path
        if self.tolerance != (2.0, 3.0):
            said["tolerance"] = list(self.tolerance)
        return said


@dataclass(frozen=True)
class Chain:
    """Steps in order, under a name. An image goes in and comes out with its shape and dtype.

    variants: mild, normal or harsh: a `PresetDetector` also fits on two variants of each image, as `CameraRobust`
              makes them of what the steps leave; None fits on the images alone

    >>> import numpy as np
    >>> chain = Chain("darker", (Step("gray_world"), Step("gamma", {"gamma": 2.0})))
    >>> chain.apply(np.full((2, 2, 3), 128, np.uint8))[0, 0].tolist()
    [64, 64, 64]
    >>> Chain.from_dict(chain.to_dict()) == chain
    True
    """

    name: str
    steps: tuple[Step | ProfileStep, ...]
    variants: Strength | None = None

    def apply(self, image: Image) -> Image:
        """Return the image after all steps; neighbouring steps that a histogram decides take two passes together.

        Raises PresetError for an image of another kind, and for a profile step that waits for `fit`.
        """
        check_image(image)
        for pointwise, group in groupby(self.steps, key=lambda step: step.curve is not None):
            steps = list(group)
            if pointwise:
                image = apply_curves(image, [step.curve for step in steps if step.curve is not None])
                continue
            for step in steps:
                image = step(image)
        return image if self.steps else image.copy()

    def fit(self, images: Iterable[Image]) -> Chain:
        """Return the chain with a profile fitted where a step waits for one.

        It is fitted on the images as the steps before it leave them. A chain that waits for none comes back as it
        is, and `images` are not read.
        """
        for index, step in enumerate(self.steps):
            if isinstance(step, ProfileStep) and step.profile is None:
                before = Chain(self.name, self.steps[:index])
                kept = list(images)
                fitted = replace(step, profile=CameraProfile.fit(before.apply(image) for image in kept))
                return replace(self, steps=(*self.steps[:index], fitted, *self.steps[index + 1 :])).fit(kept)
        return self

    @property
    def waits(self) -> bool:
        """Whether a step waits for `fit`."""
        return any(isinstance(step, ProfileStep) and step.profile is None for step in self.steps)

    def __add__(self, other: Chain) -> Chain:
        """Return both chains one after the other."""
        return Chain(f"{self.name}+{other.name}", self.steps + other.steps, other.variants or self.variants)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        said = {"version": VERSION, "name": self.name, "steps": [step.to_dict() for step in self.steps]}
        return said if self.variants is None else {**said, "variants": self.variants}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, folder: Path | None = None) -> Chain:
        """Return the chain that plain data describes; profiles are read relative to `folder`.

        Raises PresetError for another version and for what is no chain, UnknownNameError for an unknown step.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get("steps"), list):
            raise PresetError(
                'a chain must read {"name": ..., "steps": [{"step": ...}, ...]}; got ' + f"{content!r:.200}"
            )
        if content.get("version", VERSION) != VERSION:
            raise PresetError(f"this version reads chains of version {VERSION}; got {content['version']!r}")
        variants = content.get("variants")
        if variants is not None:
            CameraRobust(variants)  # raises for another strength
        steps = tuple(_step(one, folder or Path()) for one in content["steps"])
        return cls(f"{content.get('name', 'chain')}", steps, variants)

    def save(self, path: Path | str) -> None:
        """Write the chain as JSON; a profile that was fitted goes into files beside it."""
        path = Path(path)
        steps: list[Step | ProfileStep] = []
        for index, step in enumerate(self.steps):
            if isinstance(step, ProfileStep) and step.profile is not None:
                name = f"{path.stem}.profile{index or ''}.json"
                step.profile.save(path.with_name(name))
                step = replace(step, path=name)
            steps.append(step)
        with written(path) as spare:
            text = json.dumps(replace(self, steps=tuple(steps)).to_dict(), indent=2)
            spare.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Chain:
        """Read a chain from JSON; raises PresetError that names the file."""
        path = Path(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PresetError(f"cannot read the chain {path}: {error}") from error
        return cls.from_dict(content, folder=path.parent)


def _step(content: Any, folder: Path) -> Step | ProfileStep:
    if not isinstance(content, Mapping) or "step" not in content:
        raise PresetError(f'a step must read {{"step": name, option: value, ...}}; got {content!r:.200}')
    options = {name: value for name, value in content.items() if name != "step"}
    if content["step"] != ProfileStep.name:
        return Step(content["step"], options)
    unknown = options.keys() - {"profile", "tolerance"}
    if unknown:
        raise PresetError(f"step 'camera_profile' has no option {sorted(unknown)[0]!r}; it takes profile, tolerance")
    path = options.get("profile")
    low, high = options.get("tolerance", (2.0, 3.0))
    return ProfileStep(None if path is None else CameraProfile.load(folder / path), path, (low, high))
