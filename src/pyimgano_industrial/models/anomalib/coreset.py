"""anomalib's coreset with buffers that are used again: the same choice, in steady memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from anomalib.models.components.sampling import KCenterGreedy

from pyimgano_industrial.models.anomalib.offline import replaced_on


@contextmanager
def steady_coreset() -> Iterator[None]:
    """Within, each step of KCenterGreedy in this thread writes into the same arrays.

    anomalib allocates a new (patches, features) array each step; the C library's heap can keep one hole for each:
    5 GB after 300 of 1,638 steps were measured on 16,384 patches, 16 images.
    """
    with replaced_on(KCenterGreedy, "update_distances", _update):
        yield


def _update(_original: Any, sampler: Any, cluster_center: torch.Tensor | None) -> None:
    if cluster_center is None:
        return
    features = sampler.features
    if sampler.min_distances is None:
        sampler.differences = torch.empty_like(features)
        sampler.distances = features.new_empty(len(features), 1)
        sampler.min_distances = features.new_full((len(features), 1), torch.inf)
    torch.sub(features, features[cluster_center].squeeze(), out=sampler.differences)
    torch.linalg.norm(sampler.differences, ord=2, dim=1, keepdim=True, out=sampler.distances)
    torch.minimum(sampler.min_distances, sampler.distances, out=sampler.min_distances)
