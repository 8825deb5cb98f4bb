"""One photo, one hole, several models: a row of completions each, to be looked at.

python -m benchmarks.family_sheet examples/photo.png --mask examples/mask.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.held_out_sheet import HIDDEN_COLOUR
from inpaint_cli.api import load_model
from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.photos import sheets

MODELS = ("pcnn-photos32", "ipa-photos64", "picme-photos64", "latent-codes-photos64")

Pixels = npt.NDArray[np.uint8]


def cut(picture: Pixels, hole: npt.NDArray[np.bool_], side: int) -> Pixels:
    """Return the square of `side` pixels around the middle of the hole."""
    rows, columns = np.nonzero(hole)
    height, width = picture.shape[:2]
    side = min(side, height, width)
    top = int(np.clip((rows.min() + rows.max() - side) // 2, 0, height - side))
    left = int(np.clip((columns.min() + columns.max() - side) // 2, 0, width - side))
    return picture[top : top + side, left : left + side]


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", type=Path, nargs="?", default=Path("examples/photo.png"))
    parser.add_argument("--mask", type=Path, default=Path("examples/mask.png"))
    parser.add_argument("--model", action="append", help="default: the models for photos")
    parser.add_argument("-n", type=int, default=4, help="completions of each model")
    parser.add_argument("--side", type=int, default=220, help="show so many pixels at the hole")
    parser.add_argument("--tile", type=int, default=144, help="pixels of a picture on the sheet")
    parser.add_argument("-o", "--output", type=Path, default=Path("families.png"))
    options = parser.parse_args()
    photo = np.asarray(Image.open(options.photo).convert("RGB"))
    hole = np.asarray(Image.open(options.mask).convert("L")) >= 128
    marked = np.where(hole[..., None], np.array(HIDDEN_COLOUR, np.uint8), photo)
    table = []
    for name in options.model or MODELS:
        model = load_model(name, device="cpu")
        n = min(options.n, model.default_n())
        pictures = model.complete(photo, mask=hole, n=n).images
        shown = [marked, *pictures, *[np.full_like(photo, 255)] * (options.n - n)]
        table.append([(cut(picture, hole, options.side), "") for picture in shown])
        table[-1][0] = (table[-1][0][0], name)
    with replacing(options.output) as temporary:
        sheets.captioned(table, tile=options.tile).save(temporary)
    print(options.output)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
