"""Host tests that the plugin may fail, each with its reason and the test of ours that stands for it."""

from __future__ import annotations

# Host test -> (reason, our test).
EXCEPTIONS: dict[str, tuple[str, str]] = {}
