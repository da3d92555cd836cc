"""Host tests that the plugin may fail, each with its reason and the test of ours that stands for it."""

from __future__ import annotations

_EMPTY = (
    "scores an empty or missing image file as zeros; with us that is an error that names the file",
    "tests/inference/test_run.py::test_a_broken_file_is_an_error_that_names_it",
)
_OWN_SIZE = (
    "expects boxes in the pixels of a map smaller than its image; our maps have the image's own size",
    "tests/inference/test_forward.py::test_a_map_comes_at_the_size_of_its_image",
)
_BY_NAME = (
    "its detector answers by the text of a path; ours hands over the decoded image",
    "tests/host/test_infer_command.py::test_on_error_report_goes_on_and_names_the_file",
)

# Host test -> (reason, our test).
EXCEPTIONS: dict[str, tuple[str, str]] = {
    "tests.test_inference_tiling::test_tiled_detector_caches_tile_coords": (
        "patches iter_tile_coords to count its calls; our TiledDetector has a grid of its own, microseconds to make",
        "tests/tiling/test_grid.py::test_positions_are_those_of_the_host",
    ),
    "tests.test_infer_cli_production_guardrails_v1"
    "::test_infer_cli_continue_on_error_records_error_lines_and_returns_nonzero": _BY_NAME,
    "tests.test_feature_structural::test_structural_features_extractor_error_mode_zeros": _EMPTY,
    "tests.test_integration.TestErrorHandling::test_invalid_image_path": _EMPTY,
    "tests.test_integration_workbench_train_then_infer::test_integration_train_then_infer_from_run_manifest": _EMPTY,
    "tests.test_integration_workbench_train_then_infer"
    "::test_integration_train_then_infer_infer_config_manifest": _EMPTY,
    "tests.test_workbench_manifest_smoke::test_workbench_manifest_per_image_jsonl_includes_meta": _EMPTY,
    "tests.test_infer_cli_infer_config::test_infer_cli_supports_infer_config_defects_hysteresis": _OWN_SIZE,
    "tests.test_infer_cli_infer_config::test_infer_cli_supports_infer_config_defects_shape_filters": _OWN_SIZE,
    "tests.test_infer_cli_infer_config::test_infer_cli_supports_infer_config_defects_merge_nearby": _OWN_SIZE,
    "tests.test_infer_cli_infer_config"
    "::test_infer_cli_infer_config_recalibrates_pixel_threshold_when_train_dir_provided": _BY_NAME,
    "tests.test_infer_cli_smoke::test_infer_cli_smoke_defects_image_space_and_overlays": _OWN_SIZE,
}
