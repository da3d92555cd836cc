"""MPDD: painted metal parts in six categories (Jezek et al., ICUMT 2021), in the MVTec AD layout.

The authors' repository names no licence: ask them.
"""

from __future__ import annotations

from pathlib import Path

from pyimgano_industrial.datasets.mvtec import MVTecAD


class MPDD(MVTecAD):
    """MPDD; its layout is MVTec AD's, so that only the categories' names tell the two apart."""

    title = "MPDD"
    licence = "not stated by the authors"
    source = "https://github.com/stepanje/MPDD"
    known_categories = ("bracket_black", "bracket_brown", "bracket_white", "connector", "metal_plate", "tubes")

    @classmethod
    def matches(cls, directory: Path) -> bool:
        return directory.name in cls.known_categories and super().matches(directory)
