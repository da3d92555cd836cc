"""The faults that the folder of any data set may have, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pyimgano_industrial.datasets.faults import Fault
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import image_files, subfolders

_ALLOW = "or allow it (--missing-masks allow, missing_masks='allow') to count its pixels as normal"


def empty_split(split: str, folder: Path, *, wanted: Sequence[str], name: str, layout: str) -> Fault:
    """A split's folder holds no image where the layout has them, in one of the folders `wanted` if there are any."""
    inside = f" (in a folder {' or '.join(wanted)})" if wanted else ""
    there = ", ".join(path.name for path in subfolders(folder)) or "no folder"
    return Fault(
        "empty-split",
        f"the {split} split of {name} must have an image in {folder}{inside}; "
        f"it holds {there} and {len(image_files(folder))} images elsewhere",
        f"arrange the images as {layout}",
        folder,
    )


def shared_masks(claims: Iterable[tuple[Path, Iterable[Path]]]) -> Iterator[Fault]:
    """Masks whose name fits several images; `claims` pairs each image with the masks that its name fits."""
    owners: dict[Path, list[Path]] = defaultdict(list)
    for image, masks in claims:
        for mask in masks:
            owners[mask].append(image)
    for mask, images in owners.items():
        if len(images) > 1:
            names = " and ".join(path.name for path in images)
            yield Fault(
                "shared-mask",
                f"a mask must belong to one image; {mask} fits {names} in {images[0].parent}",
                "rename one of the images and its mask, or take it out",
                mask,
            )


def unlabelled(sample: Sample) -> Fault:
    """A mask is asked for where nobody published one."""
    return Fault(
        "unlabelled",
        f"a mask needs a labelled image; {sample.image} is in the unlabelled split {sample.split}",
        "score it and submit the maps: its mask is not published",
        sample.image,
    )


def normal_marked(sample: Sample, marked: int) -> Fault:
    """A normal image has a mask with anomalous pixels."""
    return Fault(
        "normal-marked",
        f"a normal image must have no anomalous pixel; {sample.masks[0]} marks {marked} in {sample.image}",
        "clear the mask, or move the image to a folder of a defect",
        sample.masks[0],
    )


def empty_mask(sample: Sample, *, normal: str) -> Fault:
    """An anomalous image has a mask without an anomalous pixel."""
    return Fault(
        "empty-mask",
        f"the mask of an anomalous image must mark a pixel; {sample.masks[0]} marks none in {sample.image}",
        f"draw the defect, move the image to {normal!r}, {_ALLOW}",
        sample.masks[0],
    )


def missing_mask(sample: Sample, *, names: Sequence[str], folder: Path) -> Fault:
    """An anomalous image has no mask; `names` without suffix were looked for in `folder`."""
    looked = f" (looked for {' or '.join(names)}.* in {folder})" if names else ""
    return Fault(
        "missing-mask",
        f"an anomalous image must have a mask; {sample.image} has none{looked}",
        f"add the mask, {_ALLOW}",
        sample.image,
    )


def no_masks(folder: Path) -> Fault:
    """A data set ships no mask at all: image metrics work, pixel metrics do not."""
    return Fault(
        "no-masks",
        f"{folder} ships no masks: pixel metrics are not available for it",
        "this is allowed; add masks if you want pixel metrics",
        folder,
        "warning",
    )
