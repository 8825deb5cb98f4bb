"""Share of wrong classes of a classifier on test images, and minus log p of the right class.

python -m benchmarks.classifier_errors --model classifier-mnist --data mnist
"""

from __future__ import annotations

import argparse
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F

from inpaint_cli import data
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.features import load

BATCH = 500


def main() -> None:
    """Parses the command line above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a classifier: name, run folder or file")
    parser.add_argument("--data", required=True, nargs="+")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3, choices=(1, 3))
    parser.add_argument("--levels", type=int, default=256, help="2 = black and white")
    options = parser.parse_args()
    extractor = load(options.model, device="cpu")
    tested = data.load_images(
        options.data,
        size=options.size,
        channels=options.channels,
        levels=options.levels,
        split="test",
    )
    if tested.labels is None:
        raise UserError("--data: these images have no classes.")
    logits = torch.cat(
        [
            cast(Any, extractor.logits(torch.from_numpy(np.array(tested.images[i : i + BATCH]))))
            for i in range(0, len(tested), BATCH)
        ]
    ).double()
    label = torch.from_numpy(np.array(tested.labels))
    figures = {
        "wrong classes": (logits.argmax(1) != label).double(),
        "nats of the right class": F.cross_entropy(logits, label, reduction="none"),
    }
    for name, values in figures.items():
        error = values.std() / len(values) ** 0.5
        print(f"{name}: {values.mean():.4f} +- {error:.4f} ({len(values)} images)")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from error
