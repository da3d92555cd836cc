"""Every fault of a submission at once: names, counts, sizes, types and values, against the data set on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import DatasetError, ImageError, PluginError
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.core.plain import plain
from pyimgano_industrial.core.progress import Progress
from pyimgano_industrial.datasets.faults import Fault, fault_of
from pyimgano_industrial.evaluation.archive import Member, members
from pyimgano_industrial.evaluation.submission import MAPS, MASKS, OBJECTS, SPLITS, Wanted, wanted
from pyimgano_industrial.evaluation.tiff import read_tiff

_TOPS = (MAPS, MASKS)


@dataclass(frozen=True)
class Count:
    """Files of one object and private split: `maps` and `masks` found, of `wanted`."""

    object: str
    split: str
    wanted: int
    maps: int
    masks: int


@dataclass(frozen=True)
class SubmissionReport:
    """What a check found. thresholded: whether there is any thresholded image, which makes all of them due."""

    source: Path
    root: Path
    counts: tuple[Count, ...]
    thresholded: bool
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are for the user to judge."""
        return not any(fault.severity == "error" for fault in self.faults)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, paths as text."""
        return plain(self) | {"ok": self.ok}


def check(
    source: Path,
    root: Path,
    *,
    objects: Sequence[str] = OBJECTS,
    progress: Progress | None = None,
) -> SubmissionReport:
    """Read every file of a folder or `.tar.gz` once, and compare it with the private images of the data set.

    progress: called as `progress(done, total)` after each file. Raises ArchiveError where there is nothing to read.
    """
    faults: dict[Fault, None] = {}
    due: list[Wanted] = []
    for name in objects:
        try:
            due += wanted(root, name)
        except DatasetError as error:
            faults[fault_of(error, "data-set", root / name)] = None
    by_name = {one.map: one for one in due} | {one.mask: one for one in due}
    found: Counter[str] = Counter()
    for done, member in enumerate(members(source), 1):
        name, above = _below_top(member.name)
        if above:
            faults[_wrapped(above)] = None
        one = by_name.get(name)
        if one is None:
            faults[_unexpected(name, by_name, member)] = None
        else:
            found[name] += 1
            if found[name] == 2:
                faults[Fault("twice", f"{name} must be there once; it is there twice", "leave one out")] = None
            faults.update(dict.fromkeys(_examine(name, one, member)))
        if progress is not None:
            progress(done, max(done, len(by_name)))
    thresholded = any(name.startswith(f"{MASKS}/") for name in found)
    faults.update(dict.fromkeys(_missing(due, found, thresholded)))
    counts = tuple(
        Count(name, split, len(some), sum(one.map in found for one in some), sum(one.mask in found for one in some))
        for name in objects
        for split in SPLITS
        if (some := [one for one in due if (one.object, one.split) == (name, split)])
    )
    return SubmissionReport(source, root, counts, thresholded, tuple(faults))


def _below_top(name: str) -> tuple[str, str]:
    """Return a name from `anomaly_images` on, and the folders that lie above it."""
    parts = PurePosixPath(name).parts
    first = next((place for place, part in enumerate(parts) if part in _TOPS), 0)
    return "/".join(parts[first:]), "/".join(parts[:first])


def _wrapped(above: str) -> Fault:
    return Fault(
        "wrapped",
        f"{MAPS} must lie at the top; it lies in {above}",
        f"pack the content of {above}, not the folder itself",
    )


def _unexpected(name: str, by_name: dict[str, Wanted], member: Member) -> Fault:
    if member.fault and not name.startswith(_TOPS):
        return Fault("unreadable", f"{name} {member.fault}", "pack it again")
    path = PurePosixPath(name)
    stems = {key.rpartition(".")[0] for key in by_name}
    other = f"{MAPS}{name.removeprefix(MASKS)}" if name.startswith(MASKS) else f"{MASKS}{name.removeprefix(MAPS)}"
    if path.name.startswith("."):
        why = "it is a hidden file"
    elif f"{path.with_suffix('')}" in stems:
        why = f"{path.parts[0]} has {'.tiff' if path.parts[0] == MAPS else '.png'} files only"
    elif other in by_name:
        why = f"it belongs in {PurePosixPath(other).parent}"
    elif len(path.parts) == 4 and path.parts[0] in _TOPS and path.parts[1] in OBJECTS and path.parts[2] in SPLITS:
        why = f"no image of {path.parts[1]}/{path.parts[2]} has this name"
    else:
        why = f"files are {MAPS}/<object>/{{{','.join(SPLITS)}}}/<image>.tiff and {MASKS}/.../<image>.png"
    return Fault("unexpected-file", f"no other file may be there; there is {name}: {why}", "take it away, or rename it")


def _examine(name: str, one: Wanted, member: Member) -> Iterator[Fault]:
    """Yield what is wrong with one file of the right name."""
    if member.fault:
        yield Fault("unreadable", f"{name} {member.fault}", "write it again")
        return
    if not member.data:
        yield Fault("unreadable", f"{name} is empty", "write it again")
        return
    is_map = name.startswith(f"{MAPS}/")
    try:
        pixels = read_tiff(member.data, name) if is_map else _read_png(member.data, name)
        size = image_size(one.image)
    except (ImageError, PluginError) as error:
        yield Fault("unreadable", f"{error}", "write it again")
        return
    if pixels.ndim != 2:
        yield Fault("shape", f"{name} must be 2-D; it has shape {pixels.shape}", "write one channel, one page")
    elif pixels.shape != size:
        shown = f"{size[1]} x {size[0]}", f"{pixels.shape[1]} x {pixels.shape[0]}"
        yield Fault("size", f"{name} must have its image's size {shown[0]}; it is {shown[1]}", "resize the map")
    yield from _map_values(name, pixels) if is_map else _mask_values(name, pixels)


def _map_values(name: str, pixels: NDArray[Any]) -> Iterator[Fault]:
    if pixels.dtype != np.float16:
        yield Fault("type", f"{name} must be float16; it is {pixels.dtype}", "convert it; `submit --maps` does")
    if not np.issubdtype(pixels.dtype, np.floating):
        return
    bad = int(np.count_nonzero(~np.isfinite(pixels)))
    if bad:
        kind = "NaN" if np.isnan(pixels).any() else "infinity"
        yield Fault("values", f"{name} must be finite; {bad} pixels are not ({kind})", "rescale before float16")
    elif pixels.size and pixels.min() == pixels.max():
        said = f"{name} should tell pixels apart; all are {pixels.flat[0]:g}"
        yield Fault("constant", said, "look at the model, or at how the map was scaled", severity="warning")


def _mask_values(name: str, pixels: NDArray[Any]) -> Iterator[Fault]:
    if pixels.dtype != np.uint8:
        kind = "uint16" if pixels.dtype == np.int32 else pixels.dtype  # what Pillow before 10 makes of 16 bits
        yield Fault("type", f"{name} must have 8 bits; it is {kind}", "write uint8, 0 and 255")
        return
    others = np.setdiff1d(np.unique(pixels), (0, 255))
    if others.size:
        shown = ", ".join(f"{value}" for value in others[:5])
        yield Fault("values", f"{name} must hold 0 and 255 only; it holds {shown}", "multiply a mask of 0 and 1 by 255")


def _read_png(data: bytes, name: str) -> NDArray[Any]:
    """Decode a PNG as it is stored: (H, W) or (H, W, C); bits of one are 0 and 1, as the server may see them."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = image.format
            pixels: NDArray[Any] = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ImageError(f"cannot read {name}: the file ({len(data)} bytes) is truncated, damaged or no PNG") from error
    if kind != "PNG":
        raise ImageError(f"{name} must be a PNG; it is {kind}")
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def _missing(due: Sequence[Wanted], found: Counter[str], thresholded: bool) -> Iterator[Fault]:
    """Yield a fault a missing file, or one a folder of which there is none."""
    for top in _TOPS if thresholded else (MAPS,):
        for name in dict.fromkeys(one.object for one in due):
            for split in SPLITS:
                names = [
                    one.map if top == MAPS else one.mask for one in due if (one.object, one.split) == (name, split)
                ]
                absent = [file for file in names if file not in found]
                if absent and len(absent) == len(names):
                    said = f"{top}/{name}/{split} must hold {len(names)} files; it holds none of them"
                    yield Fault("missing-folder", said, "all objects and both private splits belong to a submission")
                else:
                    for file in absent:
                        yield Fault("missing-file", f"there must be {file}; there is not", "every image needs its file")
