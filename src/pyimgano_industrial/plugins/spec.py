"""The hooks that a plugin module may implement: one a kind, each returning rows."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from pyimgano_industrial.core.entry import Entry

PROJECT = "pyimgano"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def pyimgano_datasets() -> Iterable[Entry]:
    """Return rows whose targets are subclasses of `pyimgano_industrial.datasets.FolderDataset`."""
    return ()


@hookspec
def pyimgano_models() -> Iterable[Entry]:
    """Return rows whose targets construct detectors: `fit`, `decision_function`, often `predict_anomaly_map`."""
    return ()


@hookspec
def pyimgano_presets() -> Iterable[Entry]:
    """Return rows whose targets are mappings; `metadata["preset"]` says what they configure.

    "model":         {"model": registered name, "kwargs": {...}}
    "options":       {model name or "*": {keyword: value}}, a value of the host's --preset
    "defects":       the host's defects payload
    "preprocessing": the host's preprocessing payload, with metadata["config_key"]
    "chain":         {"name": ..., "steps": [{"step": name, option: value}, ...]}, a value of --preset for any model
                     and a preprocessing scheme; see `pyimgano_industrial.presets`
    """
    return ()


@hookspec
def pyimgano_wrappers() -> Iterable[Entry]:
    """Return rows whose targets wrap a detector: called with `detector=...`, they are detectors themselves."""
    return ()
