"""Acme's folders: <line>/fit/fine, <line>/check/{fine,reject}, and <line>/marks/reject with the rejects' masks."""

from pyimgano_industrial.datasets import FolderDataset


class AcmeBolts(FolderDataset):
    """Bolts from Acme's lines; a category is a line."""

    title = "Acme bolts"
    layout = "<line>/fit/fine, <line>/check/{fine,reject}, <line>/marks/reject"
    splits = ("fit", "check")
    fit_split, calibration_split, test_split = "fit", None, "check"
    optional_splits = ()
    normal_folders = ("fine",)
    mask_folder = "marks"
    mask_stems = ("{stem}",)
