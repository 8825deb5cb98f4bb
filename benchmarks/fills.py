"""Photos with a hole each, and several fills beside them, to be looked at.

python -m benchmarks.fills
python -m benchmarks.fills --before PHOTO MASK PHOTO MASK ...

--before: beside the default's fill the one that has no texture of the photo (--detail none).
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.api import LoadedModel, load_model
from inpaint_cli.errors import UserError
from inpaint_cli.files import replacing
from inpaint_cli.photos import sheets
from inpaint_cli.photos.overview import outline, view_of

EXAMPLES = ("astronaut", "coffee", "rocket")
QUALITY = 88
"""Of the JPEG that is written: pictures for a page, not for measuring."""

Pixels = npt.NDArray[np.uint8]
Captioned = tuple[Pixels, str]


def fills(
    model: LoadedModel, photo: Pixels, hole: npt.NDArray[np.bool_], n: int
) -> list[Captioned]:
    """Return n fills of a photo by the defaults, numbered."""
    pictures = model.complete(photo, mask=hole, n=n).images
    return [(np.asarray(picture), f"fill {number}") for number, picture in enumerate(pictures)]


def before_and_after(
    model: LoadedModel, photo: Pixels, hole: npt.NDArray[np.bool_]
) -> list[Captioned]:
    """Return the model's picture alone as the fill, and the fill by the defaults."""
    alone = model.complete(photo, mask=hole, n=1, detail="none").images[0]
    default = model.complete(photo, mask=hole, n=1).images[0]
    return [(np.asarray(alone), "--detail none"), (np.asarray(default), "the default")]


def row(
    model: LoadedModel, photo_file: Path, mask_file: Path, options: argparse.Namespace
) -> list[Captioned]:
    """Return the pictures of one photo: its hole outlined, then its fills."""
    photo = np.asarray(Image.open(photo_file).convert("RGB"))
    hole = np.asarray(Image.open(mask_file).convert("L")) >= 128
    marked = photo.copy()
    outline(marked, hole)
    if options.before:
        pictures = before_and_after(model, photo, hole)
    else:
        pictures = fills(model, photo, hole, options.n)
    shown = view_of(~hole, options.tile).slices if options.cut else (slice(None), slice(None))
    return [(picture[shown], text) for picture, text in [(marked, "photo and hole"), *pictures]]


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", nargs="*", type=Path, metavar="PHOTO MASK")
    parser.add_argument("--before", action="store_true")
    parser.add_argument("--cut", action="store_true", help="show what is near the hole only")
    parser.add_argument("--model", default="latent-codes-photos64")
    parser.add_argument("-n", type=int, default=4, help="fills of each photo")
    parser.add_argument("--across", type=int, default=1, help="photos in one row")
    parser.add_argument("--tile", type=int, default=300, help="pixels of a picture, at most")
    parser.add_argument("-o", "--output", type=Path, default=Path("fills.jpg"))
    options = parser.parse_args()
    pairs = options.pairs or [
        Path("examples") / file for name in EXAMPLES for file in (f"{name}.jpg", f"{name}-mask.png")
    ]
    if len(pairs) % 2:
        raise UserError("a mask is missing: give PHOTO MASK for each photo.")
    model = load_model(options.model, device="cpu")
    rows = []
    for number in range(0, len(pairs), 2):
        rows.append(row(model, pairs[number], pairs[number + 1], options))
        print(pairs[number], flush=True)
    starts = range(0, len(rows), options.across)
    table = [list(chain(*rows[start : start + options.across])) for start in starts]
    with replacing(options.output) as temporary:
        picture = sheets.captioned(table, tile=options.tile)
        picture.save(temporary, format="JPEG", quality=QUALITY, optimize=True)
    print(options.output)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
