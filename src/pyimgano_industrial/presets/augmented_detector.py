"""A detector that is fitted on good images and on variants of them in other light."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.presets.augmentation import AugmentationError, CameraRobust, Strength

Image = NDArray[Any] | Path | str
Augmentation = Callable[..., NDArray[Any]]


class AugmentedDetector:
    """Fits any detector on each good image and on `copies` variants of it; scores images as they are.

    detector:     anything with fit and decision_function
    strength:     mild, normal or harsh, of `CameraRobust`; seed: of its variants
    augmentation: called as augmentation(image, index=i) in place of `CameraRobust`; must keep shape and dtype
    copies:       variants of each image beside the image itself

    What the detector sets in `fit` (`threshold_`, `decision_scores_`) comes from variants too: calibrate the threshold
    on images as the camera takes them, as pyimgano-industrial's commands do.
    """

    def __init__(
        self,
        *,
        detector: Any,
        strength: Strength = "normal",
        copies: int = 2,
        seed: int = 0,
        augmentation: Augmentation | None = None,
    ) -> None:
        if copies < 1:
            raise AugmentationError(f"copies must be at least 1, the variants of each image; got {copies}")
        self.detector = detector
        self.copies = copies
        self.augmentation = CameraRobust(strength, seed) if augmentation is None else augmentation

    def fit(self, x: Iterable[Image], y: Any = None, **kwargs: Any) -> AugmentedDetector:
        """Fit on normal images and their variants; y, labels of the images, is repeated with them."""
        images = list(x)
        if not images:
            raise AugmentationError("fit needs at least one normal image; got none")
        labels = {} if y is None else {"y": np.repeat(np.asarray(y), self.copies + 1)}
        self.detector.fit(Variants(images, self.augmentation, self.copies), **labels, **kwargs)
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "detector" not in vars(self):
            raise AttributeError(name)
        return getattr(self.detector, name)


class Variants(Sequence[NDArray[Any]]):
    """Each image followed by its variants, made when they are asked for, so that memory holds the originals only."""

    def __init__(self, images: Sequence[Image], augmentation: Augmentation, copies: int) -> None:
        self._images, self._augmentation, self._each = images, augmentation, copies + 1

    def __len__(self) -> int:
        return len(self._images) * self._each

    @overload
    def __getitem__(self, at: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[NDArray[Any]]: ...
    def __getitem__(self, at: int | slice) -> NDArray[Any] | Sequence[NDArray[Any]]:
        if isinstance(at, slice):
            return [self[index] for index in range(*at.indices(len(self)))]
        index = range(len(self))[at]
        return self._variant(self._image(index // self._each), index)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for number in range(len(self._images)):
            image = self._image(number)
            for copy in range(self._each):
                yield self._variant(image, number * self._each + copy)

    def _image(self, number: int) -> NDArray[Any]:
        image = self._images[number]
        return read_rgb(image) if isinstance(image, (str, Path)) else image

    def _variant(self, image: NDArray[Any], index: int) -> NDArray[Any]:
        if index % self._each == 0:
            return image
        variant = self._augmentation(image, index=index)
        if variant.shape != image.shape or variant.dtype != image.dtype:
            raise AugmentationError(
                f"an augmentation must keep shape and dtype, {image.shape} {image.dtype}; "
                f"got {variant.shape} {variant.dtype}"
            )
        return variant
