"""A submission packed into a `.tar.gz` that is the same, byte for byte, whenever its files are, and read back."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.progress import Progress


class ArchiveError(IndustrialError, ValueError):
    """Something that is neither a folder nor an archive that can be read."""


@dataclass(frozen=True)
class Member:
    """One file of a submission. name: below its top, with slashes; data: its bytes; fault: why there are none."""

    name: str
    data: bytes = b""
    fault: str | None = None


def pack(folder: Path, names: Sequence[str], target: Path, *, progress: Progress | None = None) -> None:
    """Write the named files of a folder to a `.tar.gz`, sorted, without dates and owners; whole or not at all."""

    with (
        written(target) as spare,
        spare.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for done, name in enumerate(sorted(names), 1):
            path = folder / name
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(entry, file)
            if progress is not None:
                progress(done, len(names))


def members(source: Path) -> Iterator[Member]:
    """Yield every file of a folder or of a tar archive, hidden ones too; one is in memory at a time.

    Raises ArchiveError where there is none; an archive that breaks off ends with a member that says so.
    """
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if not path.is_dir()):
            name = path.relative_to(source).as_posix()
            try:
                yield Member(name, path.read_bytes())
            except OSError as error:
                yield Member(name, fault=f"cannot be read: {error.strerror}")
        return
    if not source.exists():
        raise ArchiveError(f"a submission must be a folder or a .tar.gz; there is no {source}")
    yield from _packed(source)


def _packed(source: Path) -> Iterator[Member]:
    try:
        tar = tarfile.open(source, "r|*")  # noqa: SIM115 - closed below; a stream, for gzip cannot go back
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"a submission must be a folder or a .tar.gz; {source} is neither: {error}") from error
    with tar:
        try:
            for entry in tar:
                name = entry.name.removeprefix("./")
                if entry.isdir():
                    continue
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is None:
                    yield Member(name, fault="is a link or a device, not a file")
                else:
                    yield Member(name, file.read())
        except (tarfile.TarError, EOFError, OSError) as error:
            yield Member(source.name, fault=f"breaks off: {error}")
