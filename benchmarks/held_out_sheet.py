"""A sheet of held-out images completed by a model, likeliest completions first, to be looked at.

python -m benchmarks.held_out_sheet --model pcnn-mnist --data mnist --masks hide-bottom
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_cli import data, masks
from inpaint_cli.api import load_model
from inpaint_cli.files import replacing
from inpaint_cli.photos import sheets
from inpaint_cli.randomness import Noise, content_key

HIDDEN_COLOUR = (224, 122, 95)
Picture = npt.NDArray[np.uint8]


def pixels_of(image: Tensor) -> Picture:
    """Return uint8 [C, H, W] as [H, W, 3]."""
    return np.asarray(image.permute(1, 2, 0).expand(-1, -1, 3).numpy())


def row_of(network: Any, image: Tensor, visible: Tensor, n: int) -> list[tuple[Picture, str]]:
    """Return truth, what is visible, and n completions with their log-probabilities."""
    noise = Noise.of_completions(0, content_key(image, visible), range(n))
    with torch.no_grad():
        result = network.complete(image, visible, noise)
    shown = np.where(visible[0, 0].numpy()[..., None], pixels_of(image[0]), HIDDEN_COLOUR)
    row = [(pixels_of(image[0]), "truth"), (shown.astype(np.uint8), "visible")]
    if result.log_prob is None:
        return row + [(pixels_of(picture), "") for picture in result.images]
    order = result.log_prob.argsort(descending=True).tolist()
    return row + [(pixels_of(result.images[i]), f"{result.log_prob[i]:.1f} nats") for i in order]


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--masks", default="freeform", help="mask kind")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="index of the first test image")
    parser.add_argument("--step", type=int, default=1, help="every so many test images")
    parser.add_argument("-n", type=int, default=8)
    parser.add_argument("--tile", type=int, default=96)
    parser.add_argument("-o", "--output", type=Path, default=Path("sheet.png"))
    options = parser.parse_args()
    network: Any = load_model(options.model, device="cpu").model
    shape = {"size": network.size, "channels": network.channels, "levels": network.levels}
    images = data.load_images(options.data, split="test", **shape).images
    rows = []
    for number in range(options.images):
        image = torch.from_numpy(np.array(images[options.first + number * options.step]))[None]
        size = image.shape[2:]
        visible = masks.draw_batch(options.masks, *size, seed=0, epoch=0, indices=[number])
        rows.append(row_of(network, image, visible, options.n))
    with replacing(options.output) as temporary:
        sheets.captioned(rows, tile=options.tile).save(temporary)
    print(options.output)


if __name__ == "__main__":
    main()
