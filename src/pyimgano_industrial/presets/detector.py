"""Any detector behind a preset: the same chain before it is fitted and before it scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Images, calls_of
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.presets.augmented_detector import AugmentedDetector
from pyimgano_industrial.presets.catalog import chain
from pyimgano_industrial.presets.chains import Chain
from pyimgano_industrial.presets.pixels import Image, check_image

Input = Image | Path | str
RECOMMENDED = "industrial-camera-profile"


class PresetDetector:
    """Wraps a detector: every image goes through a chain before the detector is fitted on it or scores it.

    detector: anything with fit and decision_function; with maps, the wrapper has them too
    preset:   a name of `presets.CHAINS`, a Chain, plain data of one, or a file .json of one
    u16_max:  largest value of 16-bit files, for example 4095; None applies the rule of core.images

    Images are files, read as RGB uint8, or arrays as `presets` takes them. A camera profile that has no file is fitted
    in `fit`, on the same images; `chain_` is what was applied. Where the chain asks for variants, the detector is
    fitted on them too. A detector fitted before must be fitted again.
    """

    after_chain: Callable[[Images], Images] | None = None
    """What `fit` was told to do with corrected images before the detector gets them, there and in every later call; a
    RegionDetector paints them over here, since a chain measures the light of the whole image."""

    def __new__(cls, *_: Any, detector: Any = None, **__: Any) -> PresetDetector:
        """Choose the class with maps where the detector has them."""
        mapped = cls is PresetDetector and detector is not None and calls_of(detector).has_maps
        return super().__new__(PresetMapDetector if mapped else cls)

    def __init__(
        self,
        *,
        detector: Any,
        preset: str | Path | Mapping[str, Any] | Chain = RECOMMENDED,
        u16_max: int | None = None,
    ) -> None:
        self.detector = detector
        self.chain_ = chain(preset)
        self.u16_max = u16_max

    def fit(
        self,
        x: Iterable[Input],
        y: Any = None,
        *,
        after_chain: Callable[[Images], Images] | None = None,
        **kwargs: Any,
    ) -> PresetDetector:
        """Fit the chain where it waits for images, then the detector on what the chain makes of them."""
        self.after_chain = after_chain
        images = self._read(x)
        self.chain_ = self.chain_.fit(images)
        corrected = self._corrected(images, range(len(images)))
        fitted = self.detector
        if self.chain_.variants is not None:
            fitted = AugmentedDetector(detector=fitted, strength=self.chain_.variants)
        fitted.fit(corrected, **({} if y is None else {"y": y}), **kwargs)
        return self

    def decision_function(self, x: Iterable[Input]) -> NDArray[np.float32]:
        """Return scores (N,) float32, higher is more anomalous."""
        return self._run(x, want_scores=True, want_maps=False)[0]

    def predict(self, x: Iterable[Input]) -> NDArray[np.int64]:
        """Return 1 for images whose score exceeds the detector's `threshold_`, else 0, (N,)."""
        labels: NDArray[np.int64] = (self.decision_function(x) > self.threshold_).astype(np.int64)
        return labels

    def _run(
        self, x: Iterable[Input], *, want_scores: bool, want_maps: bool
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        images = self._read(x)
        scores = np.zeros(len(images), np.float32)
        maps: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(images)
        calls = calls_of(self.detector)
        for indices in _by_size(images):
            corrected = self._corrected(images, indices)
            own, found = calls.scores_and_maps(corrected, want_scores=want_scores, want_maps=want_maps)
            if own is not None:
                scores[indices] = own
            for index, one in zip(indices, found or (), strict=False):
                maps[index] = one
        return scores, maps

    def _corrected(self, images: Images, indices: Sequence[int]) -> Images:
        """Return what the detector gets of some of the images."""
        corrected = Images(
            [self.chain_.apply(images[index]) for index in indices],
            paths=[None] * len(indices),
            names=[images.names[index] for index in indices],
        )
        return corrected if self.after_chain is None else self.after_chain(corrected)

    def _read(self, x: Iterable[Input]) -> Images:
        items = list(x)
        given = x.names if isinstance(x, Images) else None
        names = [
            f"{item}" if isinstance(item, (str, Path)) else given[index] if given else f"image {index}"
            for index, item in enumerate(items)
        ]
        depth = None if self.u16_max is None else self.u16_max.bit_length()
        images = [read_rgb(item, bit_depth=depth) if isinstance(item, (str, Path)) else item for item in items]
        for image, name in zip(images, names, strict=True):
            check_image(image, name=name)
        return Images(images, paths=[None] * len(images), names=names)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "detector" not in vars(self):
            raise AttributeError(name)
        return getattr(self.detector, name)


class PresetMapDetector(PresetDetector):
    """A PresetDetector whose detector has anomaly maps; made by PresetDetector, not by you."""

    def score_and_map(self, x: Iterable[Input]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return scores (N,) and maps [(h, w) float32] as the detector made them."""
        return self._run(x, want_scores=True, want_maps=True)

    def predict_anomaly_map(self, x: Iterable[Input]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps (N, h, w) float32, or a list of them where their sizes differ."""
        maps = self._run(x, want_scores=False, want_maps=True)[1]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, item: Input) -> NDArray[np.float32]:
        """Return the map (h, w) float32 of one image."""
        return self._run([item], want_scores=False, want_maps=True)[1][0]


def _by_size(images: Images) -> list[list[int]]:
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        groups[image.shape].append(index)
    return list(groups.values())
