"""Seam: pyimgano-infer goes on after an error in one pass: the good images of a batch are not run twice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.inference import OURS
from pyimgano_industrial.inference.latency import Latency


def apply(host: ModuleType) -> None:
    """Replace the loop of --continue-on-error and --on-error report."""
    original = expect(
        host, "run_continue_on_error_inference", "request", "process_ok_result", "handle_error", "run_inference_impl"
    )
    finished = expect(host, "ContinueOnErrorInferResult", "processed", "errors", "timing_seconds", "stop_early")

    @wraps(original)
    def run_continue_on_error_inference(
        request: Any,
        *,
        process_ok_result: Callable[..., None],
        handle_error: Callable[..., None],
        run_inference_impl: Callable[..., Any] | None = None,
    ) -> Any:
        from pyimgano.services import inference_service

        if run_inference_impl is not None and not hasattr(run_inference_impl, OURS):  # the caller's own inference
            return original(
                request,
                process_ok_result=process_ok_result,
                handle_error=handle_error,
                run_inference_impl=run_inference_impl,
            )
        latency = Latency()
        found = inference_service.iter_inference_records(on_error="report", **_options(request, latency))
        processed = errors = 0
        first = ""
        for index, (path, result) in enumerate(zip(request.inputs, found, strict=True)):
            try:
                if result.error is None:
                    process_ok_result(index=index, input_path=f"{path}", result=result)
            except Exception as error:  # noqa: BLE001 - reported in the image's record
                failed, stage = error, "artifacts"
            else:
                failed, stage = result.error, "infer"
            processed += 1
            if failed is None:
                continue
            errors += 1
            first = first or f"{failed}"
            handle_error(index=index, input_path=f"{path}", exc=failed, stage=stage)
            if 0 < request.max_errors <= errors:
                break
        if errors:
            print(f"{errors} of {processed} images have no result; first: {first}", file=sys.stderr)
        return finished(
            processed=processed,
            errors=errors,
            timing_seconds=sum(latency.seconds),
            stop_early=processed < len(request.inputs),
        )

    host.run_continue_on_error_inference = run_continue_on_error_inference  # type: ignore[attr-defined]  # the host's


def _options(request: Any, latency: Latency) -> dict[str, Any]:
    from pyimgano_industrial.host import inference_flags

    inference_flags.latency = latency
    names = (
        "detector", "inputs", "include_maps", "include_confidence", "reject_confidence_below", "reject_label",
        "postprocess", "postprocess_summary", "batch_size", "amp",
    )  # fmt: skip
    return {name: getattr(request, name) for name in names} | {"latency": latency}
