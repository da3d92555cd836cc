"""The files below a category folder that no sample uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from pyimgano_industrial.core.images import IMAGE_SUFFIXES
from pyimgano_industrial.datasets.faults import Fault
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import visible_files

_EXPECTED = ("license", "licence", "readme", "thumbs.db", "desktop.ini", "defects_config.json")


def strays(dataset: FolderDataset, samples: Iterable[Sample]) -> Iterator[Fault]:
    """Yield the files that no sample uses: masks one by one, images by folder, other files by suffix."""
    used = {path for sample in samples for path in (sample.image, *sample.masks)}
    images: dict[Path, list[Path]] = defaultdict(list)
    others: dict[str, list[Path]] = defaultdict(list)
    for path in visible_files(dataset.folder):
        if path in used:
            twin = path.with_name(path.name.replace(f"_mask{path.suffix}", path.suffix))
            if twin != path and twin in used and not dataset.is_mask_file(path):
                yield _mask_among_images(path, twin)
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            if not path.name.lower().startswith(_EXPECTED):
                others[path.suffix].append(path)
        elif dataset.is_mask_file(path):
            yield Fault(
                "orphan-mask",
                f"a mask should belong to an image; {path} fits none",
                "rename or remove it",
                path,
                "warning",
            )
        else:
            images[path.parent].append(path)
    for folder, paths in images.items():
        yield Fault(
            "unread-images",
            f"images should lie where the layout has them; {len(paths)} in {folder} are read by no split "
            f"(the first is {paths[0].name})",
            f"arrange them as {dataset.layout}",
            folder,
            "warning",
        )
    for suffix, paths in others.items():
        yield Fault(
            "other-files",
            f"{len(paths)} files ending in {suffix or 'nothing'} are not read; the first is {paths[0]}",
            f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}",
            paths[0],
            "note",
        )


def _mask_among_images(path: Path, twin: Path) -> Fault:
    return Fault(
        "mask-among-images",
        f"masks should not lie among images; {path} is read as an image, and is named like the mask of {twin.name}",
        "move it to the folder of masks",
        path,
        "warning",
    )
