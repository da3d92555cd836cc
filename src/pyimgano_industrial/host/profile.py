"""Seam: --profile and --profile-json of pyimgano-infer say how long an image takes."""

from __future__ import annotations

import math
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.host import inference_flags
from pyimgano_industrial.host.contract import expect

_ALL_AT_ONCE = " (one batch: p50 and p99 are the warm-up's; see --batch-size)"


def apply(host: ModuleType) -> None:
    """Add warm-up, p50 and p99 to the printed line and to the JSON."""
    shown = expect(host, "format_infer_profile_summary", "infer", "total")
    payload = expect(host, "build_infer_profile_payload", "infer", "total")

    @wraps(shown)
    def format_infer_profile_summary(**timings: float) -> str:
        line: str = shown(**timings)
        found = _of_run(timings["infer"])
        if found is None:
            return line
        return (
            f"{line}\nprofile: per image warm_up={1e3 * found['warm_up']:.1f}ms p50={1e3 * found['p50']:.1f}ms "
            f"p99={1e3 * found['p99']:.1f}ms images={found['images']} batch={found['largest_batch']}"
            f"{_ALL_AT_ONCE if found['images'] == found['largest_batch'] else ''}"
        )

    @wraps(payload)
    def build_infer_profile_payload(**values: Any) -> dict[str, Any]:
        built: dict[str, Any] = payload(**values)
        found = _of_run(values["infer"])
        return built if found is None else {**built, "latency_seconds": found}

    host.format_infer_profile_summary = format_infer_profile_summary  # type: ignore[attr-defined]  # the host's
    host.build_infer_profile_payload = build_infer_profile_payload  # type: ignore[attr-defined]  # the host's


def _of_run(infer: float) -> dict[str, float | int] | None:
    """Return the latencies of the run that took `infer` seconds, None where it was not run by us."""
    latency = inference_flags.latency
    return latency.summary() if latency.seconds and math.isclose(sum(latency.seconds), infer, rel_tol=1e-6) else None
