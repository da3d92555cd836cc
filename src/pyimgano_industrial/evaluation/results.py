"""What an evaluation found, as frozen data: a run, and each of its cells, which is one model on one category.

The folder that holds it (`evaluation.folder.RunFolder` reads and writes it):

    RUN/results.json                             a `Run`: settings, versions, one `Row` a cell
    RUN/cells/<model>/<category>/result.json     a `Cell`: every number, every image
    RUN/cells/<model>/<category>/curves.npz      curves to draw, see `Cell`
    RUN/cells/<model>/<category>/counts.npz      what each image adds to the curves, for `compare`: see `CellCounts`
    RUN/cells/<model>/<category>/previews/*.png  a few images with mask and map, see `Preview`

Names of metrics, keys of every `metrics` mapping; a limit stands as `f"{limit:g}"`:

    image_auroc, image_ap           of image scores
    image_auroc_mean                mean over the kinds of anomaly, each with the good images (MVTec LOCO AD's headline)
    class_f1, class_f1_best         F1 of images at the cell's threshold, and at the best one, which only labels tell
    pixel_auroc, pixel_ap           of pixels
    seg_f1, seg_f1_best             F1 of the set's pixels at the cell's pixel threshold, and at the best one
    aupro@LIMIT                     AU-PRO up to that false positive rate
    au_spro@LIMIT                   AU-sPRO (MVTec LOCO AD); of the whole cell: the mean over the kinds of anomaly

A number that cannot be computed is absent, and `gaps` says why under its name: never a zero, never NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pyimgano_industrial.inference.calibration import Calibration

FORMAT = 1  # of the files; raised when their meaning changes

State = Literal["done", "failed"]
Role = Literal["worst", "best"]


@dataclass(frozen=True)
class Number:
    """One metric.

    value:     0..1
    bound:     the exact value is at most this far away
    low, high: percentile interval from images drawn again with replacement; None where none was asked for or possible
    threshold, precision, recall: of an F1, else None; the threshold is None too where all scores lie above it
    """

    value: float
    bound: float = 0.0
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True)
class Group:
    """Some of a cell's images or defects.

    normal, anomalous: images; of a group by size, `normal` is 0 and `anomalous` counts defects (components)
    metrics:           name -> number; gap: why some or all are missing, else None
    """

    normal: int
    anomalous: int
    metrics: Mapping[str, Number] = field(default_factory=dict)
    gap: str | None = None


@dataclass(frozen=True)
class ImageRow:
    """One test image.

    file:     below the data set's root, with slashes
    label:    0 normal, 1 anomalous
    score:    higher is more anomalous; None where there is an error
    flagged:  whether the score is above the cell's threshold; None without threshold or score
    kind:     the folder that states the label, "good" or for example "logical_anomalies"
    defects:  names of its defects, as defects_config.json or the layout states them
    lighting: as the file name states it
    error:    what went wrong with this image: it counts in no number
    """

    file: str
    label: Literal[0, 1]
    score: float | None = None
    flagged: bool | None = None
    kind: str | None = None
    defects: tuple[str, ...] = ()
    lighting: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Preview:
    """One image of a report, small; paths of PNG files are below the cell's folder, with slashes.

    role:      "worst": an anomalous image with a low score or a normal one with a high score; "best": the reverse
    image:     RGB; mask: grey, 255 anomalous, None where there is none
    map:       grey: pixel p stands for the score low + p / 255 * (high - low) of `Cell.scale`, clipped to it; None
               where the model gives no maps. All three have one size; no defect and no peak vanishes by shrinking
    """

    file: str
    label: Literal[0, 1]
    score: float
    role: Role
    image: str
    mask: str | None = None
    map: str | None = None
    kind: str | None = None
    lighting: str | None = None


@dataclass(frozen=True)
class Scale:
    """The scores that the previews' black and white stand for, the same for all maps of a cell."""

    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """fit, calibrate, test, metrics: seconds of the clock; peak_mib: the process's largest memory until the end of the
    cell, in MiB (of a process that ran several cells: of all until then); None where the system does not tell it."""

    fit: float
    calibrate: float
    test: float
    metrics: float
    peak_mib: float | None = None

    @property
    def seconds(self) -> float:
        return self.fit + self.calibrate + self.test + self.metrics


@dataclass(frozen=True)
class ModelSpec:
    """One model of a run, as it was asked for.

    label:      what it is called in tables and folders, unique in a run
    name:       the registered name
    kwargs:     of its constructor; those of `preset` stand below them
    checkpoint: the file that it is loaded from, in place of fitting or before it
    tiling:     keyword arguments of TiledDetector; empty: no tiles
    roi:        the region of interest, as the flag states it
    """

    label: str
    name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    checkpoint: str | None = None
    tiling: Mapping[str, Any] = field(default_factory=dict)
    roi: str | None = None


@dataclass(frozen=True)
class Settings:
    """What was asked for, for all cells of a run.

    dataset, root:  the registered name and the folder, as given
    protocol:       "generic", "mvtec_loco" or "mvtec_ad2"
    limits:         of the false positive rate, for AU-PRO; spro_limits: for AU-sPRO
    sizes:          areas in pixels at which defects are divided
    method, target_fpr, confidence, k: of the thresholds, see `inference.Calibrator`
    share:          of the training images that are kept back where there is no validation split
    bootstrap:      draws of images for the intervals; 0: none; interval: their confidence
    seed:           of everything random
    missing_masks:  "error" or "allow"
    image_score:    "map_max", the maximum of the map, as the official evaluators have it, or "detector", the model's
    pixel_method, pixel_target_fpr: as method and target_fpr, for the threshold of pixels
    """

    dataset: str
    root: str
    protocol: str
    limits: tuple[float, ...]
    spro_limits: tuple[float, ...]
    sizes: tuple[int, ...]
    method: str
    target_fpr: float
    confidence: float
    k: float | None
    share: float
    bootstrap: int
    interval: float
    seed: int
    missing_masks: str = "error"
    image_score: str = "detector"
    pixel_method: str = "quantile"
    pixel_target_fpr: float = 0.001


@dataclass(frozen=True)
class Cell:
    """One model on one category.

    state:       "done", or "failed" with the `reason`: then there are no numbers
    fitted, test: images fitted on, and test images that were scored
    metrics:     name -> number over the whole test split
    gaps:        name of a number that is not there -> why
    by_kind:     kind of anomaly (its folder) -> its images and the good ones
    by_lighting: lighting -> its images
    by_size:     "1-280", "281-4999", "5000-": pixels -> defects of that size
    by_defect:   name of a defect -> AU-sPRO of the images that have it and the good ones
    threshold, pixel_threshold: with what they promise; None where `gaps` says why under "threshold", "pixel_threshold"
    notes:       what a reader of the numbers must know, for example where the threshold came from
    images:      every test image, those that failed too
    scale, previews: see there
    curves:      names in curves.npz, each (N, 2) float64, false positive rate first, from (0, 0) to (1, 1):
                 "image_roc", "pixel_roc", "pro", and "spro/KIND" of each kind (MVTec LOCO AD)
    versions:    of the packages that the cell ran with
    """

    model: str
    category: str
    state: State
    reason: str | None = None
    fitted: int = 0
    test: int = 0
    metrics: Mapping[str, Number] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    by_kind: Mapping[str, Group] = field(default_factory=dict)
    by_lighting: Mapping[str, Group] = field(default_factory=dict)
    by_size: Mapping[str, Group] = field(default_factory=dict)
    by_defect: Mapping[str, Group] = field(default_factory=dict)
    threshold: Calibration | None = None
    pixel_threshold: Calibration | None = None
    notes: tuple[str, ...] = ()
    images: tuple[ImageRow, ...] = ()
    scale: Scale | None = None
    previews: tuple[Preview, ...] = ()
    curves: tuple[str, ...] = ()
    cost: Cost | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""  # of the settings, model and files that it depends on: a resumed run compares it

    @property
    def failures(self) -> tuple[ImageRow, ...]:
        """The test images that count in no number."""
        return tuple(row for row in self.images if row.error is not None)


@dataclass(frozen=True)
class Row:
    """One cell in the table of a run; folder: the cell's, below the run's, with slashes; errors: images that failed."""

    model: str
    category: str
    state: State | Literal["waiting"]
    folder: str
    reason: str | None = None
    metrics: Mapping[str, Number] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    images: int = 0
    errors: int = 0
    cost: Cost | None = None


@dataclass(frozen=True)
class Mean:
    """The mean of a metric over the categories that have it; missing: those that lack it, so that it is no full one."""

    value: float
    categories: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A whole evaluation; rows: model by model, each in the order of the categories.

    command:  the arguments that repeat it; started, finished: ISO 8601 in UTC, finished None while it is not
    versions: package -> version; machine: system, processor, cores
    """

    settings: Settings
    models: tuple[ModelSpec, ...]
    categories: tuple[str, ...]
    rows: tuple[Row, ...]
    command: tuple[str, ...] = ()
    started: str = ""
    finished: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def row(self, model: str, category: str) -> Row:
        """Return the row of a cell; raises KeyError where the run has no such cell."""
        for one in self.rows:
            if (one.model, one.category) == (model, category):
                return one
        raise KeyError((model, category))

    def means(self, model: str) -> dict[str, Mean]:
        """Return the mean of every metric of a model over the categories, which count alike."""
        rows = [row for row in self.rows if row.model == model]
        names = list(dict.fromkeys(name for row in rows for name in row.metrics))
        found = {}
        for name in names:
            values = [row.metrics[name].value for row in rows if name in row.metrics]
            missing = tuple(row.category for row in rows if name not in row.metrics)
            found[name] = Mean(sum(values) / len(values), len(values), missing)
        return found
