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

_IN_PLACE = (
    "says that vision_patchcore_anomalib requires a checkpoint; ours is built by fit() on good images as well",
    "tests/models/test_anomalib.py::test_a_model_fitted_in_place_pickles_whole",
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
    "tests.test_model_options_service::test_enforce_checkpoint_requirement_includes_extra_guidance_in_error": _IN_PLACE,
    "tests.test_model_options_service"
    "::test_enforce_checkpoint_requirement_raises_base_message_without_extra_guidance": _IN_PLACE,
    "tests.test_model_info_payload::test_model_info_exposes_upstream_and_runtime_deployment_profiles": _IN_PLACE,
    "tests.test_anomalib_backend_optional::test_anomalib_checkpoint_wrapper_requires_anomalib_if_no_inferencer": (
        "gives a checkpoint that is not there and expects the missing package to be named; ours names the missing file",
        "tests/models/test_anomalib_rows.py::test_options_that_cannot_be_are_refused",
    ),
    "tests.test_workbench_calibration::test_calibrate_detector_threshold_uses_contamination_default": _BY_NAME,
    "tests.test_workbench_calibration::test_calibrate_detector_threshold_respects_explicit_quantile": _BY_NAME,
    "tests.test_workbench_report_dataset_summary::test_workbench_report_includes_dataset_summary": _EMPTY,
}
