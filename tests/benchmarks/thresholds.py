"""Whether thresholds from normal images keep their promise: each method, pyimgano's and anomalib's, many times over.

Run with `python tests/benchmarks/thresholds.py generated` (scores of known distributions) and `... real` (needs
onnxruntime, and PYIMGANO_INDUSTRIAL_SHARED to name the folder with `data` and `tools/patch_memory.py`). --python
anomalib=PATH names an interpreter with anomalib; pyimgano's own function runs in a process without the plugin.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from stamp import stamp

TARGETS = (0.05, 0.01, 0.001)
COUNTS = (20, 50, 200, 1000)
REAL_COUNTS = {"cookie": (20,), "ballscrew": (20, 50)}
METHODS = ("tolerance", "conformal", "quantile", "mean_sigma", "median_mad", "tail")
PEERS = ("pyimgano", "anomalib")
FOLDS = 5

Scores = NDArray[np.float64]
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    generated = commands.add_parser("generated", help="scores of known distributions, every target")
    generated.add_argument("--resamples", type=int, default=1000)
    generated.add_argument("--plot", type=Path, help="write the picture here; needs matplotlib")
    generated.set_defaults(run=run_generated)
    real = commands.add_parser("real", help="scores of real images, the target 5 %")
    real.add_argument("--resamples", type=int, default=2000)
    real.add_argument("--scores", type=Path, help="keep the scores here, and take them from here")
    real.set_defaults(run=run_real)
    folds = commands.add_parser("folds", help="images kept back, and each image in its turn, with a small memory bank")
    folds.add_argument("--resamples", type=int, default=150)
    folds.set_defaults(run=run_folds)
    for command in (generated, real):
        command.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of peers")
        command.add_argument("--json", type=Path)
    peer = commands.add_parser("peer", help="thresholds of one peer; the others start it")
    peer.add_argument("name", choices=PEERS)
    peer.add_argument("scores", type=Path)
    peer.add_argument("targets", type=float, nargs="+")
    peer.set_defaults(run=lambda args: run_peer(args.name, args.scores, args.targets))
    args = parser.parse_args()
    print(stamp("scipy", "onnxruntime"))
    args.run(args)
    return 0


# Generated scores.


@cache
def distributions() -> dict[str, Any]:
    """Return named distributions of normal scores: bell-shaped, skewed, heavy-tailed, two lighting states."""
    from scipy import stats

    class Bimodal:
        """Nine images in ten around 0, one in ten around 4."""

        def rvs(self, size: tuple[int, int], random_state: np.random.Generator) -> Scores:
            return random_state.normal(4.0 * (random_state.random(size) < 0.1), 1.0)

        def sf(self, value: Scores) -> Scores:
            found: Scores = 0.9 * stats.norm.sf(value) + 0.1 * stats.norm.sf(value, 4)
            return found

    return {
        "normal": stats.norm(),
        "gamma": stats.gamma(2),
        "lognormal": stats.lognorm(0.8),
        "Student, 3": stats.t(3),
        "bimodal": Bimodal(),
    }


def run_generated(args: argparse.Namespace) -> None:
    pythons = dict(one.split("=", 1) for one in args.python)
    rows: list[Row] = []
    for seed, (name, distribution) in enumerate(distributions().items()):
        for count in COUNTS:
            drawn = distribution.rvs((args.resamples, count), random_state=np.random.default_rng([seed, count]))
            for (method, target), (cuts, refused) in thresholds(drawn, TARGETS, pythons).items():
                rates = distribution.sf(cuts)
                rows.append({"scores": name, "count": count, "target": target, "method": method}
                            | summary(rates, refused, target))  # fmt: skip
        print(f"{name} done", file=sys.stderr)
    for target in TARGETS:
        print_generated([row for row in rows if row["target"] == target], target)
    rows += print_least(args.resamples)
    if args.plot:
        plot(rows, args.plot)
    keep(rows, args.json)


def summary(rates: Scores, refused: NDArray[np.bool_], target: float) -> Row:
    """Return what came of the promises that were made, and how many were refused."""
    made = rates[~refused]
    kept = np.mean(made <= target * (1 + 1e-9)).item() if made.size else None
    return {"refused": refused.mean().item(), "kept": kept, "mean": made.mean().item() if made.size else None,
            "anyway": rates.mean().item(), "resamples": len(rates)}  # fmt: skip


def print_generated(rows: Sequence[Row], target: float) -> None:
    """Print one table: a row a method, a cell a number of images, the range over the distributions."""
    print(f"\nPromised: at most {target:.3g} of normal images\n")
    print("| method | " + " | ".join(f"{count} images" for count in COUNTS) + " |")
    print("| --- " * (len(COUNTS) + 1) + "|")
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [cell([row for row in rows if (row["method"], row["count"]) == (method, count)]) for count in COUNTS]
        print(f"| {method} | " + " | ".join(cells) + " |")


def print_least(resamples: int) -> list[Row]:
    """Print how often "tolerance" keeps its promise with the fewest images that it takes."""
    from pyimgano_industrial.core.tolerance import images_needed

    print("\n| promised | images | " + " | ".join(distributions()) + " |")
    print("| --- " * (len(distributions()) + 2) + "|")
    rows = []
    for target in TARGETS:
        count = images_needed(target)
        for seed, (name, distribution) in enumerate(distributions().items()):
            drawn = distribution.rvs((resamples, count), random_state=np.random.default_rng([9, seed]))
            fitted = [fit(scores, "tolerance", target) for scores in drawn]
            refused = np.array([one.promise == "refused" for one in fitted])
            rates = distribution.sf(np.array([one.threshold for one in fitted]))
            rows.append({"scores": name, "count": count, "target": target, "method": "tolerance"}
                        | summary(rates, refused, target))  # fmt: skip
        kept = " | ".join(f"{row['kept']:.1%}" for row in rows if row["target"] == target)
        print(f"| {100 * target:.3g} % | {count:,} | {kept} |")
    return rows


def cell(rows: Sequence[Row]) -> str:
    """Return "kept in lowest to highest %, mean rate lowest to highest", or the refusal."""
    made = [row for row in rows if row["kept"] is not None]
    refused = np.mean([row["refused"] for row in rows])
    if not made:
        return "refused"
    kept, rates = [row["kept"] for row in made], [row["mean"] for row in made]
    note = f"; refused {refused:.0%}" if refused else ""
    return f"{min(kept):.0%} to {max(kept):.0%}; {100 * min(rates):.2g} to {100 * max(rates):.2g} %{note}"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw, for each target, how often the promise was kept and the mean rate, over the number of images."""
    import matplotlib as mpl

    from pyimgano_industrial.core.tolerance import images_needed

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(TARGETS), figsize=(12, 7.2), sharex=True, layout="constrained")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    # Colours that the colour-blind tell apart (Okabe and Ito), the default in black.
    colours = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#888888")
    for column, target in enumerate(TARGETS):
        kept, rate = axes[0, column], axes[1, column]
        for index, method in enumerate(methods):
            style = {"color": colours[index], "lw": 2.6 if index == 0 else 1.4, "marker": "osv^Dp*X"[index], "ms": 5,
                     "ls": "--" if method in PEERS else "-"}  # fmt: skip
            for axis, key in ((kept, "kept"), (rate, "mean")):
                found = [
                    (count, [row[key] for row in rows if (row["method"], row["count"], row["target"])
                             == (method, count, target) and row[key] is not None])
                    for count in sorted({row["count"] for row in rows})
                ]  # fmt: skip
                found = [(count, values) for count, values in found if values]
                worst = min if key == "kept" else max
                points = [(count, worst(values)) for count, values in found]
                axis.plot(*zip(*points, strict=True) if points else ([], []), label=method, **style)
        kept.axhline(0.9, color="0.5", lw=0.8, ls=":")
        rate.axhline(target, color="0.5", lw=0.8, ls=":")
        title = f"promised: at most {100 * target:.3g} %\n(tolerance takes {images_needed(target):,} images or more)"
        kept.set(ylim=(-0.03, 1.03), xscale="log", xlim=(16, 3000))
        kept.set_title(title, size=11)
        rate.set(yscale="log", xlabel="good images", xticks=COUNTS, xticklabels=COUNTS)
        rate.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        rate.minorticks_off()
    axes[0, 0].set_ylabel("promise kept, share of resamples\n(worst of five distributions)")
    axes[1, 0].set_ylabel("good images flagged, mean\n(worst of five distributions)")
    axes[0, 0].text(20, 0.915, "90 %", color="0.4", size=8)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=8, frameon=False)
    figure.savefig(path, dpi=110)


# Thresholds: ours here, the peers' in processes of their own.


def thresholds(
    drawn: Scores, targets: Sequence[float], pythons: dict[str, str]
) -> dict[tuple[str, float], tuple[Scores, NDArray[np.bool_]]]:
    """Return, for each method and target, thresholds (R,) from scores (R, N), and which of them promise nothing."""
    found = {}
    for method in METHODS:
        for target in targets:
            fitted = [fit(scores, method, target) for scores in drawn]
            refused = np.array([one.promise == "refused" for one in fitted])
            found[method, target] = (np.array([one.threshold for one in fitted]), refused)
    for name in PEERS:
        if name == "pyimgano" or name in pythons:
            for target, cuts in zip(targets, of_peer(name, drawn, targets, pythons), strict=True):
                found[name, target] = (cuts, np.zeros(len(drawn), bool))
    return found


def fit(scores: Scores, method: str, target: float) -> Any:
    from pyimgano_industrial.inference import Calibrator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # refusals are counted
        return Calibrator(method=method, target_fpr=target).fit(scores)  # type: ignore[arg-type]  # one of METHODS


def of_peer(name: str, drawn: Scores, targets: Sequence[float], pythons: dict[str, str]) -> Scores:
    """Return the peer's thresholds (T, R)."""
    env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="1")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scores.npy")
        np.save(file, drawn)
        command = [pythons.get(name, sys.executable), __file__, "peer", name, str(file), *map(str, targets)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr[-3000:]}")
        found: Scores = np.load(file)
    return found


def run_peer(name: str, file: Path, targets: Sequence[float]) -> None:
    drawn = np.load(file)
    call = {"pyimgano": host_threshold, "anomalib": anomalib_threshold}[name]()
    np.save(file, np.array([[call(scores, target) for scores in drawn] for target in targets]))


def host_threshold() -> Callable[[Scores, float], float]:
    from pyimgano.inference import calibrate_threshold

    class Known:
        """A detector whose images are the texts of their scores."""

        def decision_function(self, images: Sequence[str]) -> Scores:
            return np.array([float(image) for image in images])

    return lambda scores, target: calibrate_threshold(Known(), [repr(s) for s in scores.tolist()], quantile=1 - target)


def anomalib_threshold() -> Callable[[Scores, float], float]:
    import logging

    import torch
    from anomalib.metrics.threshold.f1_adaptive_threshold import _F1AdaptiveThreshold as F1AdaptiveThreshold

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    def call(scores: Scores, target: float) -> float:  # noqa: ARG001 - it takes no target
        metric = F1AdaptiveThreshold()
        metric.update(torch.as_tensor(scores), torch.zeros(len(scores), dtype=torch.int64))
        return float(metric.compute())

    return call


# Real scores.


def run_real(args: argparse.Namespace) -> None:
    shared = os.environ.get("PYIMGANO_INDUSTRIAL_SHARED")
    have = args.scores is not None and args.scores.is_file()
    if not have and (not shared or not Path(shared, "data").is_dir() or not importlib.util.find_spec("onnxruntime")):
        print("skipped: needs onnxruntime, and PYIMGANO_INDUSTRIAL_SHARED with the folders data and tools")
        return
    scores = json.loads(args.scores.read_text(encoding="utf-8")) if have else score_real(Path(str(shared)))
    keep(scores, args.scores)
    pythons = dict(one.split("=", 1) for one in args.python)
    rows: list[Row] = []
    target = TARGETS[0]
    print("| images | from | method | flagged of the others, mean | in 8 of 10 splits | at most 5 % | refused |")
    print("| --- " * 7 + "|")
    for name, found in scores.items():
        rows.append(by_heart(found, target) | {"images": name, "count": "fitted on", "method": "pyimgano"})
        for count in REAL_COUNTS[name]:
            rows += [row | {"images": name, "count": count} for row in splits(found, count, target, args, pythons)]
    for row in rows:
        low, high = row["range"]
        made = "-" if row["kept"] is None else f"{row['kept']:.0%}"
        print(f"| {row['images']} | {row['count']} | {row['method']} | {row['mean']:.1%} | {low:.1%} to {high:.1%} | "
              f"{made} | {row['refused']:.0%} |")  # fmt: skip
    keep(rows, args.json)


def splits(found: Row, count: int, target: float, args: argparse.Namespace, pythons: dict[str, str]) -> list[Row]:
    """Return, for each method, what share of the other images is above thresholds from `count` random ones."""
    scores = np.array(found["unseen"])
    rng = np.random.default_rng(count)
    orders = np.array([rng.permutation(len(scores)) for _ in range(args.resamples)])
    drawn, others = scores[orders[:, :count]], scores[orders[:, count:]]
    rows = []
    for (method, _), (cuts, refused) in thresholds(drawn, [target], pythons).items():
        rates = (others > cuts[:, None]).mean(axis=1)
        rows.append(real_row(rates, refused, target) | {"method": method})
    return rows


def by_heart(found: Row, target: float) -> Row:
    """Return what the threshold from the images that the detector was fitted on does to the others, fold by fold."""
    rates = [np.mean(np.array(unseen) > np.quantile(seen, 1 - target)) for seen, unseen in found["folds"]]
    return real_row(np.array(rates), np.zeros(len(rates), bool), target)


def real_row(rates: Scores, refused: NDArray[np.bool_], target: float) -> Row:
    made = rates[~refused]
    return {
        "mean": rates.mean().item(),
        "range": np.quantile(rates, [0.1, 0.9]).tolist(),
        "kept": np.mean(made <= target).item() if made.size else None,
        "refused": refused.mean().item(),
    }


def run_folds(args: argparse.Namespace) -> None:
    """Print how often the promise is kept by scores of a detector's own and by those of further detectors."""
    sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs" / "examples"))
    from threshold import Nearest, good_parts

    from pyimgano_industrial.inference import Calibrator, fit_and_calibrate

    new, target = good_parts(2000, seed=1_000_000), TARGETS[0]
    print("| images | of which scored | how | kept | mean |\n" + "| --- " * 5 + "|")
    for count, how in ((60, "out-of-fold"), (100, "out-of-fold"), (225, "held-out")):
        rates = []
        for seed in range(args.resamples):
            detector = Nearest()
            found = fit_and_calibrate(detector, good_parts(count, seed=seed), Calibrator(target_fpr=target), how=how)
            rates.append(np.mean(detector.decision_function(new) > found.threshold))
        kept = np.mean(np.array(rates) <= target)
        print(f"| {count} | {found.images} | {how} | {kept:.0%} | {np.mean(rates):.1%} |")


def score_real(shared: Path) -> dict[str, Row]:
    """Score every good image once by a detector that has not seen it; keep what each detector scores its own, too."""
    from pyimgano_industrial.core.images import read_rgb
    from pyimgano_industrial.inference.holdout import fold_indices

    sys.path.insert(0, str(shared / "tools"))
    from patch_memory import PatchMemory

    class Remembering(PatchMemory):  # type: ignore[misc]
        """Runs the network once an image: it is what takes the time."""

        _seen: ClassVar[dict[int, Any]] = {}

        def _features(self, image: NDArray[np.uint8]) -> Any:
            if id(image) not in self._seen:
                self._seen[id(image)] = super()._features(image)
            return self._seen[id(image)]

    found = {}
    for name in REAL_COUNTS:
        files = [
            file for part in ("train", "test") for file in sorted((shared / "data" / name / part / "good").iterdir())
        ]
        images = [read_rgb(file) for file in files]
        unseen = np.empty(len(images))
        folds = []
        for part in fold_indices(len(images), folds=FOLDS):
            rest = [image for index, image in enumerate(images) if index not in set(part)]
            detector = Remembering().fit(rest)
            unseen[part] = detector.decision_function([images[index] for index in part])
            folds.append((detector.decision_function(rest).tolist(), unseen[part].tolist()))
            print(f"{name}: fold of {len(part)} scored", file=sys.stderr)
        found[name] = {"unseen": unseen.tolist(), "folds": folds}
    return found


def keep(rows: Any, path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
