"""A line: each new file in a folder is decided by a calibrated threshold, watched for drift, and logged.

Run with `python production_loop.py`; it downloads nothing and writes incoming, line.json, line.npz and log.jsonl here.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyimgano.models import create_model

from pyimgano_industrial.core.images import read_rgb, write_png
from pyimgano_industrial.demo.scene import render
from pyimgano_industrial.inference import Calibrator, fit_and_calibrate, infer_iter
from pyimgano_industrial.presets import CameraProfile, DriftMonitor

Image = NDArray[np.uint8]
PARTS, DARKER_FROM, DEFECTS, CORRUPT = 40, 20, (5, 11), 8
END = "end"  # the file by which the camera says that the shift is over


def photograph(seed: int, *, defect: bool = False, light: float = 1.0) -> Image:
    image = render(seed, defects=["additional_part"] if defect else [], height=120).image
    return np.rint(image * light).astype(np.uint8)


def camera(folder: Path) -> None:
    """Write the parts of a shift: each file under another name first, so that nobody reads half of one."""
    for number in range(PARTS):
        part = photograph(2000 + number, defect=number in DEFECTS, light=0.8 if number >= DARKER_FROM else 1.0)
        write_png(folder / "part.tmp.png", part)
        if number == CORRUPT:
            (folder / "part.tmp.png").write_bytes(b"\x89PNG, and then the disk was full")
        (folder / "part.tmp.png").rename(folder / f"{number:04}.png")
    (folder / END).touch()


def arriving(folder: Path, *, patience: float = 30) -> Iterator[Path]:
    """Yield each new file once, in the order of names, until the feed ends or nothing came for `patience` seconds."""
    seen: set[Path] = set()
    last = time.monotonic()
    while time.monotonic() - last < patience:
        over = (folder / END).exists()  # asked first: what was written before the end is still found below
        for path in sorted(set(folder.glob("[0-9]*.png")) - seen):
            seen.add(path)
            yield path
            last = time.monotonic()
        if over:
            return
        time.sleep(0.02)


def main() -> int:
    # Once, at set-up: the profile, the model, and a threshold from a fifth of the good parts that no fit has seen.
    good = [photograph(seed) for seed in range(120)]
    profile = CameraProfile.fit(good)
    profile.save("line.json")
    detector = create_model("vision_industrial_filter_bank")
    calibration = fit_and_calibrate(detector, good, Calibrator(target_fpr=0.1))
    print(calibration)

    # The shift. The camera is a thread here; on a line it is another program.
    incoming = Path("incoming")
    incoming.mkdir()
    feed = threading.Thread(target=camera, args=(incoming,))
    feed.start()
    monitor = DriftMonitor(profile)
    with Path("log.jsonl").open("w", encoding="utf-8") as log:
        for path in arriving(incoming):
            (result,) = infer_iter(detector, [path], batch_size=1, on_error="report")
            record = {"file": path.name, "threshold": calibration.threshold}
            if result.error is not None:  # a part that nobody has looked at is not a good part
                record |= {"score": None, "decision": "reject", "error": f"{result.error}"}
            else:
                drift = monitor.observe(read_rgb(path), name=path.name).to_dict()
                record |= {"score": result.score, "decision": "reject" if result.label else "accept", "drift": drift}
            print(json.dumps(record), file=log, flush=True)
    feed.join()

    # What the log says. From number 20 on every part is rejected, and the drift beside it says why: camera_profile.py
    # takes it out. The monitor counts the images that it saw; the one that nobody could read is not among them.
    records = [json.loads(line) for line in Path("log.jsonl").read_text(encoding="utf-8").splitlines()]
    rejected = [number for number, record in enumerate(records) if record["decision"] == "reject"]
    drifting = next(number for number, record in enumerate(records) if record.get("drift", {}).get("moved"))
    watched = [record["file"] for record in records if "drift" in record]
    moved = records[drifting]["drift"]["moved"][0]
    print(f"{len(records)} parts, rejected: {rejected}")
    print(f"not readable: {records[CORRUPT]['error']}")
    print(f"seen at {records[drifting]['file']}: {moved['property']} has moved since {watched[moved['since']]}")
    assert len(records) == PARTS
    assert {*DEFECTS, CORRUPT} <= set(rejected)
    assert DARKER_FROM <= drifting < PARTS
    assert moved["property"] == "exposure"
    return 0


if __name__ == "__main__":
    sys.exit(main())
