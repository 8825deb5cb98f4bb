"""The figures of the models that ship, measured again, so that each card says what comes out.

Writes every figure with its standard error over images into a file of OUT for these weights and
prints it beside the card's; with --write the card gets it. What is on a card and was not measured
is told of. Run again after it was stopped, it goes on with the next model. The data sets are the
files in DIR that docs/zoo.md names; figures that stand in docs/results.md too are taken from the
report of `python -m benchmarks.results`.

    python -m benchmarks.cards --data-dir DIR --report results/report.json --out cards [--write]
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import small_holes
from benchmarks.results import entry_of
from inpaint_cli import api, masks, models, zoo
from inpaint_cli.data import Split, load_images
from inpaint_cli.family import Batch, Config
from inpaint_cli.files import write_text
from inpaint_cli.metrics.protocol import BINS, bin_name
from inpaint_cli.models.evaluation import evaluating
from inpaint_cli.models.ipa.bounds import log_prob_hidden
from inpaint_cli.randomness import Noise
from inpaint_cli.training.batches import held_out
from inpaint_cli.weights import load_weights

SEED = 0
EVERY = 10**6
BATCH = 32
RANGES = tuple(bin_name(ends) for ends in BINS)
MIXTURE = "freeform-scaled@mixture"
PHOTOS = ("scenes128.zip", "photos128.zip")
FACES = ("faces64.zip",)

Measured = tuple[float, float | None]
"""A figure, and its standard error over images; None for figures of fixed holes."""
Values = Callable[[Any, Batch, Noise], Tensor]
"""Of a model: a figure of each image; NaN where it has none."""


@dataclass(frozen=True)
class Figure:
    """One figure of a card: the mean of a value over held-out images under masks."""

    text: str
    """As on the card."""
    values: Values
    data: tuple[str, ...]
    masks: str | None = MIXTURE
    """None = nothing is hidden."""
    limit: int = EVERY
    split: Split = "test"
    levels: int | None = None
    """Of the images; None = the model's."""

    def measure(self, model: Any, folder: Path) -> Measured:
        """Return the mean and its error, with the data sets of a folder."""
        with evaluating(model):
            parts = [self.values(model, *part) for part in self._batches(model.config, folder)]
        values = torch.cat([part.double().cpu() for part in parts])
        values = values[~values.isnan()]
        return values.mean().item(), (values.std() / math.sqrt(len(values))).item()

    def _batches(self, config: Config, folder: Path) -> Iterator[tuple[Batch, Noise]]:
        sources = [str(folder / name) if "." in name else name for name in self.data]
        images = load_images(
            sources,
            size=config.size,
            channels=config.channels,
            levels=self.levels or config.levels,
            split=self.split,
        )
        count = min(self.limit, len(images))
        if self.split == "validation":  # as training validates
            indices = places = np.array(held_out(images, count))
        else:  # spread over a set that may be sorted by class
            indices = np.linspace(0, len(images) - 1, count).astype(int)
            places = np.arange(count)
        for start in range(0, count, BATCH):
            part = indices[start : start + BATCH]
            numbers = places[start : start + BATCH].tolist()
            pixels = torch.from_numpy(images.images[part])
            visible = torch.ones(len(part), 1, config.size, config.size, dtype=torch.bool)
            if self.masks:
                visible = masks.draw_batch(
                    self.masks, config.size, config.size, seed=SEED, epoch=0, indices=numbers
                )
            labels = None if images.labels is None else torch.from_numpy(images.labels[part])
            yield Batch(pixels, visible, labels), Noise.of_samples(SEED, "bits", 0, numbers)


def of_stage(family: str, stage: str, name: str, factor: float = 1.0) -> Values:
    """Return a figure of a stage's validation, times a factor."""
    (found,) = (one for one in models.get(family).stages() if one.name == stage)

    def values(model: Any, batch: Batch, noise: Noise) -> Tensor:
        return factor * found.validate(model, batch, noise)[name]

    return values


def bound_per_hidden(model: Any, batch: Batch, noise: Noise) -> Tensor:
    """Return minus the bound of log p(hidden | visible) by 64 samples, in nats a hidden value."""
    nats = log_prob_hidden(model, batch.image, batch.visible, 64).nats
    hidden = (~batch.visible).flatten(1).sum(1) * model.channels
    return torch.where(hidden > 0, -nats / hidden, torch.nan)


def by_range(
    text: str, values: Values, data: Sequence[str], kind: str, limit: int = EVERY
) -> list[Figure]:
    """Return a figure for each range of the visible share."""
    return [
        Figure(f"{text}, {ends} % visible", values, tuple(data), f"{kind}@{ends}", limit)
        for ends in RANGES
    ]


def of_vae(data: str) -> list[Figure]:
    """Return the figures of an ipa with its VAE's bits."""
    bits = of_stage("ipa", "vae", "bits_per_dim")
    hidden = "nats per hidden value"
    return [
        Figure("bits per dimension", bits, (data,), limit=1000),
        *by_range(hidden, bound_per_hidden, (data,), "freeform", 100),
    ]


def of_classifier(data: str, squares: str = "") -> list[Figure]:
    """Return the errors of a classifier; squares: how one that sees squares calls their size."""
    wrong, nats = (of_stage("classifier", "classes", n) for n in ("error", "cross_entropy"))
    share = "share of wrong classes"
    if not squares:
        both = ((share, wrong), ("nats of the right class", nats))
        figures = [Figure(text, values, (data,)) for text, values in both]
        if data == "mnist.npz":
            black = ", black and white"
            figures += [Figure(text + black, values, (data,), levels=2) for text, values in both]
        return figures
    kinds = {
        "one square": "patches-25:n=1",
        "three squares": "patches-25:n=3",
        "five squares": "patches-25:n=5",
        "all visible": None,
    }
    few = [
        Figure(f"{text}, {words}", values, (data,), kind)
        for words, kind in kinds.items()
        for text, values in ((share, wrong), ("nats", nats))
    ]
    return [
        Figure(f"{share}, zero to five squares of {squares} visible", wrong, (data,), "patches-25"),
        Figure("nats, zero to five squares", nats, (data,), "patches-25"),
        *few,
    ]


STAGES = {
    "reconstruction, PSNR in dB": ("vqgan", "psnr", 1.0),
    "reconstruction, mean absolute error of 255": ("vqgan", "l1", 127.5),
    "right tokens, visible ones": ("encoder", "accuracy", 1.0),
    "right tokens, visible ones next to holes": ("encoder", "border_accuracy", 1.0),
    "right tokens, missing ones": ("transformer", "accuracy", 1.0),
    "nats per missing token (512 codes)": ("transformer", "nats_per_token", 1.0),
    "nats per missing token (1024 codes)": ("transformer", "nats_per_token", 1.0),
    "mean absolute error of 255 in holes, with the true codes": ("decoder", "l1_hidden", 127.5),
}
"""What the stages of latent codes validate, which takes a file with the VQGAN's encoder."""


def of_latent_codes() -> list[Figure]:
    """Return the figures of the stages, of held-out pictures of their training."""
    data = (*PHOTOS, *FACES, "graphics")
    return [
        Figure(text, of_stage("latent-codes", *how), data, limit=256, split="validation")
        for text, how in STAGES.items()
    ]


NATS, PCNN = "nats per hidden value", of_stage("pcnn", "pixels", "nats_per_hidden")
CARDS: Mapping[str, Sequence[Figure]] = {
    "classifier-cifar10": of_classifier("cifar10-jpeg.tar.gz"),
    "classifier-cifar10-masked": of_classifier("cifar10-jpeg.tar.gz", "8x8"),
    "classifier-mnist": of_classifier("mnist.npz"),
    "classifier-mnist-masked": of_classifier("mnist.npz", "7x7"),
    "pcnn-digits": by_range(NATS, PCNN, ("digits",), "freeform-scaled"),
    "pcnn-mnist": by_range(NATS, PCNN, ("mnist.npz",), "freeform", 500),
    "pcnn-photos32": [
        *by_range(f"{NATS}, faces", PCNN, FACES, "freeform", 250),
        *by_range(f"{NATS}, scenes and photos", PCNN, PHOTOS, "freeform", 250),
    ],
    "ipa-cifar32": of_vae("cifar10-jpeg.tar.gz"),
    "ipa-mnist": of_vae("mnist.npz"),
    "ipa-photos64": [
        Figure(
            "bits per dimension of the VAE (bound)",
            of_stage("ipa", "vae", "bits_per_dim"),
            (*PHOTOS, *FACES),
            limit=200,
        )
    ],
    "latent-codes-photos64": of_latent_codes(),
    "latent-codes-photos64-f4": of_latent_codes(),
}
RESULTS = {
    "lpips@classifier-cifar10, best of 10": "lpips-gt",
    "diversity, lpips@classifier-cifar10": "lpips-diversity",
    "psnr [dB]": "psnr",
    "crps": "crps",
    "energy": "energy",
    "coverage 81.8 % [%]": "coverage",
    "nats per hidden value (bound)": "nll",
    "nats per hidden value at 32x32 (bound)": "nll",
}
"""Of a card that stands in docs/results.md: name of a figure -> that of its metric."""
SCORED = {
    "crps of completions": "crps",
    "energy score of completions": "energy",
    "PSNR of one completion, dB": "psnr",
    "LPIPS with SqueezeNet, best of ten": "lpips-gt",
    "KID with classifier-cifar10": "kid",
    "truth within the central 82 % of ten": "coverage",
}
"""The same of latent codes, as the command of their protocol scores them."""


def reported(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Measured]:
    """Return the figures of a report of `inpaint score`, under the names of a card."""
    found = {}
    for text, metric in names.items():
        entry = entry_of(dict(document), metric)
        if entry is not None:
            factor = 100 if text.endswith("[%]") else 1
            found[text] = factor * entry["value"], factor * entry["se"]
    return found


def scored(name: str, given: argparse.Namespace) -> dict[str, Measured]:
    """Return the figures of completions by latent codes."""
    (document,) = api.score(
        name,
        data=tuple(str(given.data_dir / file) for file in PHOTOS),
        limit=250,
        k=10,
        metrics="kid,psnr,crps,energy,coverage,lpips-gt",
        perceptual=str(given.data_dir / given.perceptual),
        work=given.out / "work",
    )
    return reported(document, SCORED)


PLAIN = f"paper of {small_holes.PAPER}, worst of twelve holes, "
SMALL_HOLES = (
    f"{PLAIN}mean error of 255",
    f"{PLAIN}mean absolute error of 255",
    f"holes with two equal completions, of {small_holes.SCENES}",
)


def of_small_holes(model: Any, folder: Path) -> dict[str, Measured]:
    """Return the figures of latent codes that `python -m benchmarks.small_holes` prints."""
    rows = small_holes.off_plain(model, small_holes.PAPER)
    means = max((row.mean for row in rows), key=abs)
    absolute = max(row.mean_absolute for row in rows)
    equal = small_holes.holes_with_equals(model, [str(folder / PHOTOS[0])])
    return {
        text: (value, None)
        for text, value in zip(SMALL_HOLES, (means, absolute, equal), strict=True)
    }


def measured(entry: zoo.Entry, given: argparse.Namespace) -> dict[str, Measured]:
    """Return the figures of a card, measured now."""
    network = load_weights(entry.weights)
    wanted = [f for f in CARDS.get(entry.name, ()) if f.text in entry.card["figures"]]
    figures = {f.text: f.measure(network, given.data_dir) for f in wanted}
    if "docs/results.md" in entry.card["figures"]["protocol"] and given.report:
        report = json.loads(given.report.read_text(encoding="utf-8"))
        for document in report["scores"]:
            if document["model"]["name"] == entry.name:
                figures |= reported(document, RESULTS)
    if entry.name.startswith("latent-codes"):
        figures |= scored(entry.name, given) | of_small_holes(network, given.data_dir)
    return {text: value for text, value in figures.items() if text in entry.card["figures"]}


def written(card: str, figures: Mapping[str, Measured]) -> str:
    """Return the text of a card with these figures."""
    for text, (value, _) in figures.items():
        names = f'"{text}" = ', f"{text} = "
        (old,) = (line for line in card.splitlines() if line.startswith(names))
        card = card.replace(old, f"{old.partition(' = ')[0]} = {value:.{decimals(text)}f}")
    return card


def decimals(text: str) -> int:
    """Return how many decimals a figure has on a card."""
    known = {"dB": 2, "[%]": 1, "of 255": 1, "VAE": 2, "(bound)": 3, "equal": 0}
    return next((n for mark, n in known.items() if mark in text), 4)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", help="default: all that ship")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the data sets are")
    parser.add_argument("--report", type=Path, help="report.json of benchmarks.results")
    parser.add_argument("--perceptual", default="squeezenet1_1_features.safetensors")
    parser.add_argument("--out", type=Path, default=Path("cards"))
    parser.add_argument("--write", action="store_true", help="write the figures into the cards")
    given = parser.parse_args()
    for entry in zoo.entries():
        if given.model and entry.name not in given.model:
            continue
        path = given.out / f"{entry.name}-{entry.card['sha256'][:12]}.json"
        if not path.exists():
            given.out.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(measured(entry, given), indent=1) + "\n")
        figures: dict[str, Measured] = json.loads(path.read_text(encoding="utf-8"))
        for text, (value, error) in figures.items():
            come = f"{value:.4f}" if error is None else f"{value:.4f} ± {error:.4f}"
            print(f"{entry.name}: {text}: {come} (card: {entry.card['figures'][text]})", flush=True)
        for text in entry.card["figures"].keys() - figures.keys() - {"protocol"}:
            print(f"{entry.name}: {text}: not measured", flush=True)
        if given.write:
            card = entry.weights.with_suffix(".toml")
            write_text(card, written(card.read_text(encoding="utf-8"), figures))


if __name__ == "__main__":
    main()
