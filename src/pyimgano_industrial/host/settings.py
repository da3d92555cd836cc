"""What our flags on the host's commands say; set while a command parses its arguments."""

from __future__ import annotations

from typing import Any, Literal

missing_masks: Literal["error", "allow"] = "error"
tiling: dict[str, Any] = {}  # keyword arguments of TiledDetector


def reset() -> None:
    """Return to the defaults, at the start of every command."""
    global missing_masks
    missing_masks = "error"
    tiling.clear()
