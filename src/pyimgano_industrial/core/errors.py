"""The errors and the warning of this package; each message states the rule, the value and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class IndustrialError(Exception):
    """Base class of every error that this package raises on purpose."""


class IndustrialWarning(UserWarning):
    """Something that the user should know and that did not stop the work."""


class PluginError(IndustrialError, ImportError):
    """A plugin row cannot be used: its target is missing, broken, or needs an extra."""


class PluginConflictError(IndustrialError, ValueError):
    """Two distributions claim one row name."""


class UnknownNameError(IndustrialError, ValueError, KeyError):
    """A name that nothing is registered under."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class DatasetError(IndustrialError, ValueError):
    """A data set folder breaks a rule of its layout."""


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """A root, category, split or file of a data set is missing or cannot be read."""

    __str__ = Exception.__str__  # FileNotFoundError would look for an errno


class ImageError(DatasetNotFoundError):
    """An image or mask file is missing, empty, truncated or not an image."""


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, for a message that goes on after it."""
    return f"{error}".strip().partition("\n")[0]


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known names as text, the one most like `name` first, for error messages.

    >>> closest("mvtec_loko", ["btad", "mvtec_loco"])
    "did you mean 'mvtec_loco'? Known: btad, mvtec_loco"
    """
    names = sorted(known)
    if not names:
        return "none is known"
    lowered = {candidate.lower(): candidate for candidate in names}
    similar = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"did you mean {lowered[similar[0]]!r}? " if similar else ""
    return f"{hint}Known: {', '.join(names)}"
