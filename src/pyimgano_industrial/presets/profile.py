"""What a camera and its light looked like when the line was set up, and the least change that brings an image back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.presets import profile_file
from pyimgano_industrial.presets.correction import Correction, Scales, apply_light, least_change
from pyimgano_industrial.presets.light_model import SIDE, Light, Reference, estimate, still
from pyimgano_industrial.presets.measurement import Measurement, photometric
from pyimgano_industrial.presets.measures import blockiness, glare_share, noise_level, sharpness, thumbnail
from pyimgano_industrial.presets.pixels import Image, PresetError, check_image

FEWEST = 5  # images
SMALLEST = 16  # pixels on a side
_FOLDS = 5
_OUTLIER = 6.0  # robust standard deviations
_RATIO, _SIZE = 1.1, 1.25  # by how much an aspect ratio and a side may differ from those of the profile


class ProfileError(PresetError):
    """A profile cannot be fitted, read, or used on an image."""


# Differences that are too small to see, in the order of PROPERTIES.
LEAST = np.array([0.02, 0.02, 0.02, 0.02, 0.05, 0.002, 0.1, 0.1, 0.1])


@dataclass(frozen=True)
class CameraProfile:
    """The look of a line's good images.

    dtype, channels: of the images fitted on; others are an error
    sizes:     ((smallest H, largest H), (smallest W, largest W)) of them
    reference: their light; scales: how far it differs among them
    good:      (N, 9) what each of them shows beside a profile of the others, in the order of PROPERTIES
    left_out:  names of images that look like no other, which `good` and `scales` are without

    >>> images = [np.full((32, 32), 90 + 10 * (k % 2), np.uint8) + np.arange(32, dtype=np.uint8) for k in range(8)]
    >>> CameraProfile.fit(images).channels
    1
    """

    dtype: str
    channels: int
    sizes: tuple[tuple[int, int], tuple[int, int]]
    reference: Reference
    scales: Scales
    good: NDArray[np.float64]
    left_out: tuple[str, ...] = ()

    @classmethod
    def fit(cls, images: Iterable[Image | Path | str]) -> CameraProfile:
        """Fit a profile on good images, arrays of one kind or files; a few bad ones among them do no harm.

        Fifty to a hundred images are enough. Raises ProfileError for fewer than 5, and for images of several kinds.
        """
        seen: list[_Seen] = [_look(image, name) for image, name in _named(images)]
        if len(seen) < FEWEST:
            raise ProfileError(f"a profile needs {FEWEST} good images at least, better 50; got {len(seen)}")
        first = seen[0]
        for one in seen[1:]:
            if one.kind != first.kind:
                raise ProfileError(
                    f"the images of a profile must be of one kind; {first.name} is {first.kind}, "
                    f"{one.name} is {one.kind}: convert them"
                )
        dark = [one for one in seen if (one.thumbnail < 0.015).mean() > 0.95 or (one.thumbnail > 0.97).mean() > 0.95]
        if 2 * len(dark) >= len(seen):
            raise ProfileError(
                f"a profile needs images that show light; {len(dark)} of {len(seen)} are black or saturated, "
                f"such as {dark[0].name}: set the exposure first"
            )
        heights, widths = [one.shape[0] for one in seen], [one.shape[1] for one in seen]
        lights = _out_of_fold([one.thumbnail for one in seen])
        table = np.array([_row(one, light) for one, light in zip(seen, lights, strict=True)])
        kept = _alike(table) & np.array([light is not None for light in lights])
        return cls(
            dtype=first.dtype,
            channels=first.channels,
            sizes=((min(heights), max(heights)), (min(widths), max(widths))),
            reference=Reference.of([one.thumbnail for one, keep in zip(seen, kept, strict=True) if keep]),
            scales=Scales.of([light for light, keep in zip(lights, kept, strict=True) if keep and light is not None]),
            good=table[kept],
            left_out=tuple(one.name for one, keep in zip(seen, kept, strict=True) if not keep),
        )

    def measure(self, image: Image, *, name: str = "an image") -> Measurement:
        """Return what an image shows beside the profile.

        Raises ProfileError for an image of another kind, and below 16 x 16 pixels.
        """
        self._check(image, name)
        if min(image.shape[:2]) < SMALLEST:
            raise ProfileError(
                f"an image to be measured must have {SMALLEST} x {SMALLEST} pixels; {name} is {_size(image)}"
            )
        small = thumbnail(image, side=SIDE)
        light = estimate(small, self.reference, with_field=self._same_view(image))
        return replace(_measured(_Seen.of(image, name, small), light), comparable=self._same_scale(image))

    def correct(
        self,
        image: Image,
        *,
        name: str = "an image",
        tolerance: tuple[float, float] = (2.0, 3.0),
    ) -> tuple[Image, Correction]:
        """Return an image as the line would have shown it, and what was done.

        tolerance: in standard deviations of good images. Up to the first, a property is left as it is; from the second
                   it is brought back wholly; (0, 0) brings every image to the middle of the good ones.
        Exposure, white balance, contrast and illumination are brought back, the same at every pixel or slowly varying:
        what is local stays. Noise, blur, compression and what was clipped are not. An image that is too small, black or
        saturated passes through, and the correction says so.
        """
        self._check(image, name)
        if min(image.shape[:2]) < SMALLEST:
            return image.copy(), Correction.none(self.channels, note=f"below {SMALLEST} x {SMALLEST} pixels")
        same_view = self._same_view(image)
        light = estimate(thumbnail(image, side=SIDE), self.reference, with_field=same_view)
        if light is None:
            return image.copy(), Correction.none(self.channels, note="black or saturated: it shows no light")
        change = least_change(light, self.scales, tolerance=tolerance)
        note = "" if same_view else f"{_size(image)} has another shape than the profile's images: illumination left out"
        correction = Correction(light, change, self.reference.pivot, note)
        return apply_light(image, change, pivot=self.reference.pivot), correction

    def save(self, path: Path | str) -> None:
        """Write NAME.json, which a person can read, and NAME.npz beside it."""
        profile_file.save(self, Path(path))

    @classmethod
    def load(cls, path: Path | str) -> CameraProfile:
        """Read what `save` wrote; raises ProfileError that names the file and what is wrong with it."""
        return profile_file.load(Path(path))

    def _check(self, image: Image, name: str) -> None:
        check_image(image, name=name)
        channels = 1 if image.ndim == 2 else image.shape[2]
        if (f"{image.dtype}", channels) != (self.dtype, self.channels):
            raise ProfileError(
                f"the profile was fitted on {_kind(self.dtype, self.channels)} images; {name} is "
                f"{_kind(f'{image.dtype}', channels)}: convert it, or fit a profile on such images"
            )

    def _same_view(self, image: Image) -> bool:
        """Return whether places of the image are places of the profile: their shapes are alike."""
        (low_h, high_h), (low_w, high_w) = self.sizes
        ratio = image.shape[1] / image.shape[0]
        alike: bool = low_w / high_h / _RATIO <= ratio <= high_w / low_h * _RATIO
        return alike

    def _same_scale(self, image: Image) -> bool:
        return all(
            low / _SIZE <= length <= high * _SIZE
            for length, (low, high) in zip(image.shape[:2], self.sizes, strict=True)
        )


@dataclass(frozen=True)
class _Seen:
    """What is kept of an image while a profile is fitted."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    thumbnail: NDArray[np.float32]
    glare: float
    noise: float
    sharpness: float
    compression: float

    @classmethod
    def of(cls, image: Image, name: str, small: NDArray[np.float32]) -> _Seen:
        noise = noise_level(image)
        return cls(
            name,
            f"{image.dtype}",
            image.shape,
            small,
            glare_share(image),
            noise,
            sharpness(image, noise=noise),
            blockiness(image),
        )

    @property
    def channels(self) -> int:
        channels: int = self.thumbnail.shape[2]
        return channels

    @property
    def kind(self) -> str:
        return _kind(self.dtype, self.channels)


def _look(image: Image, name: str) -> _Seen:
    check_image(image, name=name)
    if min(image.shape[:2]) < SMALLEST:
        raise ProfileError(f"images of a profile must have {SMALLEST} x {SMALLEST} pixels; {name} is {_size(image)}")
    return _Seen.of(image, name, thumbnail(image, side=SIDE))


def _named(images: Iterable[Image | Path | str]) -> Iterator[tuple[Image, str]]:
    for index, item in enumerate(images):
        if isinstance(item, (str, Path)):
            yield read_rgb(item), f"{item}"
        else:
            yield item, f"image {index}"


def _measured(seen: _Seen, light: Light | None) -> Measurement:
    found = photometric(light or still(seen.channels))
    if light is None:
        found["exposure"] = -8.0 if seen.thumbnail.mean() < 0.5 else 8.0
    return Measurement(
        exposure=found["exposure"],
        red=found["red"],
        blue=found["blue"],
        contrast=found["contrast"],
        illumination=found["illumination"],
        glare=seen.glare,
        noise=255 * seen.noise * (1.0 if light is None else float(np.exp(light.exposure))),
        sharpness=seen.sharpness,
        compression=seen.compression,
        usable=light is not None,
    )


def _row(seen: _Seen, light: Light | None) -> tuple[float, ...]:
    return _measured(seen, light).values()


def _out_of_fold(thumbnails: Sequence[NDArray[np.float32]]) -> list[Light | None]:
    """Return the light of each image beside a reference of the others, so that it is like that of a new image."""
    lights: list[Light | None] = [None] * len(thumbnails)
    for fold in range(_FOLDS):
        reference = Reference.of([one for index, one in enumerate(thumbnails) if index % _FOLDS != fold])
        for index in range(fold, len(thumbnails), _FOLDS):
            lights[index] = estimate(thumbnails[index], reference)
    return lights


def _alike(table: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows differ from the median by at most 6 robust deviations in every property."""
    centre = np.median(table, axis=0)
    spread = 1.4826 * np.median(np.abs(table - centre), axis=0) + LEAST
    kept: NDArray[np.bool_] = (np.abs(table - centre) <= _OUTLIER * spread).all(axis=1)
    return kept


def _kind(dtype: str, channels: int) -> str:
    return f"{'grey' if channels == 1 else 'RGB'} {dtype}"


def _size(image: Image) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
