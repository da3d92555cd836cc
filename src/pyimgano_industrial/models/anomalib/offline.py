"""Building networks without pretrained weights and without the network, in the calling thread only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import import_module
from typing import Any

import torch

_lock = threading.RLock()


class OfflineError(ConnectionError):
    """Something tried to reach the network where nothing may be fetched."""


class _NoWeights(dict[str, Any]):
    """Stands for a state dict that is not fetched; load_state_dict passes it over."""


@contextmanager
def without_weights() -> Iterator[None]:
    """Within, networks that ask for pretrained weights keep their random ones, and no connection can be opened.

    Several of anomalib's constructors hard-code pretrained weights; a checkpoint overwrites them anyway. The functions
    that fetch are replaced for the calling thread alone, and put back at the end; other threads call the originals.
    """
    with ExitStack() as stack:
        stack.enter_context(_lock)
        for module, name, replacement in (
            ("timm.models._builder", "load_pretrained", _nothing),
            ("torchvision.models._api", "WeightsEnum.get_state_dict", _no_weights),
            ("open_clip", "create_model_and_transforms", _random_clip),
            ("anomalib.models.image.anomalyvfm.torch_model", "hf_hub_download", _nothing),
            ("anomalib.models.image.anomalyvfm.torch_model", "load_file", _no_weights),
        ):
            stack.enter_context(_replaced(module, name, replacement))
        stack.enter_context(replaced_on(torch.nn.Module, "load_state_dict", _load_unless_nothing))
        stack.enter_context(without_network())
        yield


@contextmanager
def without_network() -> Iterator[None]:
    """Within, connections of the calling thread fail with OfflineError; files in a local cache can still be read."""
    with _lock, replaced_on(socket.socket, "connect", _refuse), replaced_on(socket, "getaddrinfo", _refuse):
        yield


@contextmanager
def _replaced(module: str, name: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Replace "attribute" or "Class.attribute" of a module; a module or attribute that is not there needs nothing."""
    owner_name, _, attribute = name.rpartition(".")
    try:
        found = import_module(module)
    except ImportError:
        yield
        return
    owner = getattr(found, owner_name, None) if owner_name else found
    if owner is None or not hasattr(owner, attribute):
        yield
        return
    with replaced_on(owner, attribute, replacement):
        yield


@contextmanager
def replaced_on(owner: Any, attribute: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """Replace owner.attribute for this thread: replacement(original, *args, **kwargs)."""
    original = getattr(owner, attribute)
    thread = threading.get_ident()

    @wraps(original)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread:
            return replacement(original, *args, **kwargs)
        return original(*args, **kwargs)

    own = vars(owner).get(attribute)
    setattr(owner, attribute, chosen)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, attribute)  # it was inherited
        else:
            setattr(owner, attribute, own)


def _nothing(_original: Any, *_: Any, **__: Any) -> str:
    return ""


def _no_weights(_original: Any, *_: Any, **__: Any) -> _NoWeights:
    return _NoWeights()


def _random_clip(original: Any, name: str, *_: Any, **options: Any) -> Any:
    return original(name, **{**options, "pretrained": None})


def _load_unless_nothing(original: Any, module: Any, state: Any, *args: Any, **kwargs: Any) -> Any:
    return None if isinstance(state, _NoWeights) else original(module, state, *args, **kwargs)


def _refuse(_original: Any, *_: Any, **__: Any) -> None:
    raise OfflineError("nothing may be fetched here")
