"""Fills of real photos at their own resolution, beside other tools, in one run.

Square crops of the photos in a folder get a hole each: a box, a blob, brush strokes, text, in turn.
Every method fills it once, in this process. Printed are means over cases and their standard errors:
LPIPS to the truth (SqueezeNet heads of the package lpips on the trunk given by --trunk, so compare
figures of one run alone), PSNR in the hole, processor seconds, and the paired difference of LPIPS
to the first method. Peers are measured where they are installed: pypatchmatch, and OpenCV's xphoto
(opencv-contrib-python-headless).

    python -m benchmarks.photo_fill PHOTOS --trunk squeezenet1_1_features.safetensors
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from inpaint_cli import torchvision_import
from inpaint_cli.api import LoadedModel, load_model
from inpaint_cli.randomness import stream

Picture = npt.NDArray[np.uint8]
Hole = npt.NDArray[np.bool_]
Method = Callable[[Picture, Hole], Picture]
KINDS = ("box", "blob", "strokes", "text")


def hole_of(kind: str, side: int, rng: np.random.Generator) -> Hole:
    """Return a hole of a kind, bool [side, side], about a tenth of the picture."""
    canvas = np.zeros((side, side), np.uint8)
    if kind == "box":
        height, width = (round(side * (0.2 + 0.2 * v)) for v in rng.random(2))
        top, left = (
            int((side - s) * v) for s, v in zip((height, width), rng.random(2), strict=True)
        )
        canvas[top : top + height, left : left + width] = 1
    elif kind == "blob":
        angle = np.linspace(0, 2 * np.pi, 40)
        radius = (
            side * (0.13 + 0.1 * rng.random()) * (1 + 0.25 * np.sin(3 * angle + 6 * rng.random()))
        )
        centre = side * (0.35 + 0.3 * rng.random(2))
        points = centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
        cv2.fillPoly(canvas, [points.astype(np.int32)], 1)
    elif kind == "strokes":
        for _ in range(3):
            points = (side * (0.05 + 0.9 * rng.random((5, 2)))).astype(np.int32)
            cv2.polylines(canvas, [points], False, 1, 6 + int(12 * rng.random()))
    else:
        for row in range(3):
            place = int(side * 0.1 * rng.random()), int(side * (0.25 + 0.28 * row))
            cv2.putText(canvas, "Sample 2024", place, cv2.FONT_HERSHEY_DUPLEX, side / 230, 1, 6)
    return canvas.astype(bool)


def cases(folder: Path, count: int, side: int, seed: int) -> Iterator[tuple[str, Picture, Hole]]:
    """Yield (kind, crop, hole), the same for the same folder and seed."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    for number in range(count):
        rng = stream(seed, "photo fill", number)
        picture = np.asarray(Image.open(files[int(rng.random() * len(files))]).convert("RGB"))
        top, left = (int((length - side + 1) * rng.random()) for length in picture.shape[:2])
        kind = KINDS[number % len(KINDS)]
        yield kind, picture[top : top + side, left : left + side].copy(), hole_of(kind, side, rng)


def of_model(loaded: LoadedModel) -> Method:
    """Return a model as a method."""
    return lambda picture, hole: loaded.complete(picture, visible=~hole, n=1).images[0]


def methods(names: list[str]) -> dict[str, Method]:
    """Return our models by name, then the peers that are installed."""
    known = {name: of_model(load_model(name)) for name in names}
    if hasattr(cv2, "xphoto"):
        for name in ("FSR_FAST", "SHIFTMAP"):
            known[f"xphoto {name}"] = of_xphoto(getattr(cv2.xphoto, f"INPAINT_{name}"))
    try:
        import patchmatch
    except ImportError:
        return known
    patchmatch.set_random_seed(0)
    known["pypatchmatch"] = lambda picture, hole: patchmatch.inpaint(
        picture, (hole * 255).astype(np.uint8)[..., None], patch_size=7
    )
    return known


def of_xphoto(algorithm: int) -> Method:
    """Return one of OpenCV's extra methods; SHIFTMAP wants Lab, as its page says."""

    def fill(picture: Picture, hole: Hole) -> Picture:
        lab = algorithm == cv2.xphoto.INPAINT_SHIFTMAP
        given = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) if lab else picture.copy()
        known = np.where(hole, 0, 255).astype(np.uint8)
        filled = np.zeros_like(given)
        cv2.xphoto.inpaint(given, known, filled, algorithm)
        return np.asarray(cv2.cvtColor(filled, cv2.COLOR_Lab2RGB) if lab else filled, np.uint8)

    return fill


def lpips_with(trunk: Path) -> Callable[[Picture, Picture], float]:
    """Return LPIPS with the package's SqueezeNet heads on a trunk of that architecture."""
    torchvision_import.load()
    import lpips
    from safetensors.torch import load_file

    network = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    weights = load_file(trunk)
    names = network.net.state_dict()
    network.net.load_state_dict({n: weights["features." + n.split(".", 1)[1]] for n in names})

    def distance(first: Picture, second: Picture) -> float:
        with torch.no_grad():
            a, b = (torch.from_numpy(p.transpose(2, 0, 1)[None] / np.float32(127.5) - 1)
                    for p in (first, second))  # fmt: skip
            return float(network(a, b))

    return distance


def main() -> None:
    """Measure every method on every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--trunk", type=Path, required=True)
    parser.add_argument("--model", action="append", default=None)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    distance = lpips_with(given.trunk)
    fills = methods(given.model or ["patches", "latent-codes", "telea", "navier-stokes"])
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in fills}
    for number, (_, picture, hole) in enumerate(
        cases(given.photos, given.cases, given.side, given.seed)
    ):
        for name, fill in fills.items():
            start = time.process_time()
            filled = np.where(hole[..., None], fill(picture, hole), picture).astype(np.uint8)
            seconds = time.process_time() - start
            error = ((filled[hole].astype(float) - picture[hole]) ** 2).mean()
            psnr = -10 * np.log10(error / 255**2 + 1e-9)
            if number or seconds < 5:  # the first call compiles
                rows[name].append((distance(filled, picture), float(psnr), seconds))
    print_table(rows)


def print_table(rows: dict[str, list[tuple[float, float, float]]]) -> None:
    """Print one line a method: means and standard errors over the cases that all have."""
    count = min(map(len, rows.values()))
    tables = {name: np.array(values[-count:]) for name, values in rows.items()}
    first = next(iter(tables.values()))
    print(f"{count} cases; LPIPS, difference to the first method, PSNR in the hole, CPU seconds")
    for name, table in tables.items():
        step = table[:, 0] - first[:, 0]
        errors = table.std(0, ddof=1) / count**0.5
        print(
            f"{name:16} {table[:, 0].mean():.4f} ({errors[0]:.4f})  {step.mean():+.4f} "
            f"({step.std(ddof=1) / count**0.5:.4f})  {table[:, 1].mean():.1f} ({errors[1]:.1f})  "
            f"{table[:, 2].mean():.2f}"
        )


if __name__ == "__main__":
    main()
