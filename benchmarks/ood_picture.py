"""One photo and what `inpaint ood` makes of it, turned, cropped and replaced: a picture to look at.

python -m benchmarks.ood_picture
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from inpaint_cli.api import load_model
from inpaint_cli.api_ood import ood
from inpaint_cli.files import replacing
from inpaint_cli.photos import sheets
from inpaint_cli.posterior.ood_sets import SYNTHETIC, synthetic

SHOWN = 128
"""Side of each picture on the page; the model sees 32."""


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ipa-cifar32")
    parser.add_argument("--photo", type=Path, default=Path("examples/photo.png"))
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/ood.png"))
    chosen = parser.parse_args()
    model = load_model(chosen.model)
    with Image.open(chosen.photo) as photo:
        side = min(photo.size)
        left, top = ((length - side) // 2 for length in photo.size)
        square = photo.convert("RGB").crop((left, top, left + side, top + side))
    size = (model.model.size, model.model.size)
    pixels = np.asarray(square.resize(size, Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    pictures = {"as it is": pixels}
    pictures |= {name: synthetic(name, lambda _: pixels, 0)(0) for name in SYNTHETIC}
    tiles = []
    for name, picture in pictures.items():
        flat = np.ascontiguousarray(picture.transpose(1, 2, 0))
        judged = ood(flat, model=model)
        large = Image.fromarray(flat).resize((SHOWN, SHOWN), Image.Resampling.NEAREST)
        tiles.append((np.asarray(large), f"{name}: p {judged.p:.3f}"))
        print(name, {score: round(p, 3) for score, (_, p) in judged.scores.items()})
    with replacing(chosen.output) as temporary:
        sheets.captioned([tiles], tile=SHOWN).save(temporary, "PNG", optimize=True)


if __name__ == "__main__":
    main()
