"""Warm-up, p50 and p99 are taken from the batches of a run."""

from __future__ import annotations

import numpy as np
import pytest

import detectors
from pyimgano_industrial.inference import Latency, infer


def test_the_first_batch_is_warm_up_and_the_others_are_shared_among_their_images() -> None:
    latency = Latency(seconds=[5.0, 1.0, 2.0, 0.5], images=[2, 2, 2, 1])
    assert latency.summary() == {"warm_up": 5.0, "p50": 0.5, "p99": pytest.approx(1.0), "images": 7, "largest_batch": 2}


def test_one_batch_is_warm_up_and_all_there_is() -> None:
    assert Latency([3.0], [2]).summary() == {"warm_up": 3.0, "p50": 1.5, "p99": 1.5, "images": 2, "largest_batch": 2}


def test_no_batch_has_no_latency() -> None:
    assert Latency().summary() == {"images": 0}


def test_a_run_counts_every_image() -> None:
    latency = Latency()
    infer(detectors.ListOnly(), [np.zeros((4, 6, 3), np.uint8)] * 5, batch_size=2, latency=latency)
    assert latency.images == [2, 2, 1]
    assert all(seconds > 0 for seconds in latency.seconds)
