"""Claims of the Pixel Constrained CNN (Dupont & Suresha 2018).

python -m benchmarks.claims_pcnn [--measure DIRECTORY]
"""

from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt

from benchmarks.claims import Claim, main
from benchmarks.lab import Answer, Contrast, Lab, verdict
from inpaint_cli import api, masks
from inpaint_cli.data import load_images

PAPER = "pcnn"
PICTURES, SAMPLES, MASKS = 100, 16, "freeform-scaled@20-40"
USUAL = 0.95
"""A completion that is farther from every training digit than this share of held-out digits are has
failed."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def trained(lab: Lab) -> list[Path]:
    """Return models with the conditioning network's own loss."""
    return lab.models("pcnn-alpha1", "pcnn", "--set", "alpha=1")


def own_loss(lab: Lab) -> Answer:
    """Compare alpha = 1 with alpha = 0."""
    sides = [trained(lab), lab.models("pcnn-alpha0", "pcnn", "--set", "alpha=0")]
    nats = Contrast(*(lab.side(models, "nll", lab.PER_VALUE) for models in sides))
    crps = Contrast(*(lab.side(models, "crps", "fair") for models in sides))
    return lab.answer(
        verdict(nats, crps),
        f"alpha = 1 and 0: nats per hidden value {nats.text(4)}; CRPS {crps.text(5)}",
    )


class Digits:
    """Digits at 8 x 8, flat in 0..1: how far a picture is from the nearest one for training."""

    def __init__(self, lab: Lab) -> None:
        train, held = (
            load_images([lab.data], size=8, channels=1, split=split) for split in ("train", "test")
        )
        assert train.labels is not None
        self.train = train.images.reshape(len(train), -1) / 255
        self.labels = train.labels
        self.held = held.images[:PICTURES, 0]
        others = held.images[-500:].reshape(500, -1) / 255
        self.threshold = float(np.quantile(self.nearest(others)[0], USUAL))

    def nearest(self, pictures: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return the distance [N] to the nearest training digit, and that digit's class [N]."""
        squares = (self.train**2).sum(1) - 2 * pictures @ self.train.T
        first = squares.argmin(1)
        rest = squares[np.arange(len(first)), first] + (pictures**2).sum(1)
        return np.sqrt(np.maximum(rest, 0)), self.labels[first]


def samples(model: Path, digits: Digits) -> list[tuple[Floats, Floats, Flags]]:
    """Return of each picture: completions [n, 64] in 0..1, log p [n], which pixels are hidden."""
    loaded, result = api.load_model(str(model), "cpu"), []
    for index, digit in enumerate(digits.held):
        visible = masks.draw(MASKS, 8, 8, seed=0, index=index)
        done = loaded.complete(digit, visible=visible, n=SAMPLES, seed=index)
        pictures = np.stack(done.images).reshape(SAMPLES, -1) / 255
        assert done.log_prob is not None
        result.append((pictures, np.asarray(done.log_prob), ~visible.ravel()))
    return result


def failures(lab: Lab) -> Answer:
    """Compare the likelihood of failed completions with that of the others, picture by picture."""
    digits, failed, other, share = Digits(lab), [], [], []
    for model in trained(lab):
        pairs, rates = [], []
        for pictures, log_prob, _ in samples(model, digits):
            bad = digits.nearest(pictures)[0] > digits.threshold
            rates.append(bad.mean())
            if 0 < bad.sum() < SAMPLES:
                pairs.append((log_prob[bad].mean(), log_prob[~bad].mean()))
        failed.append(mean(pair[0] for pair in pairs))
        other.append(mean(pair[1] for pair in pairs))
        share.append(mean(rates))
    nats = Contrast(failed, other)
    return lab.answer(
        verdict(nats),
        f"{PICTURES} digits, `{MASKS}`, {SAMPLES} completions each, of which "
        f"{100 * mean(share):.0f} % are farther from every training digit than "
        f"{100 * USUAL:.0f} % of held-out digits are; log p in nats of these and of the "
        f"others of the same digit: {nats.text(2)}",
        pictures=False,
    )


def diversity(lab: Lab) -> Answer:
    """Compare completions of one digit with each other, and held-out digits in the same hole."""
    digits, within, between, classes = Digits(lab), [], [], []
    held = digits.held.reshape(PICTURES, -1) / 255
    for model in trained(lab):
        inner, outer, kinds = [], [], []
        for index, (pictures, _, hidden) in enumerate(samples(model, digits)):
            inner.append(np.abs(pictures[1:, hidden] - pictures[:-1, hidden]).mean())
            others = np.roll(held, -index, axis=0)[:SAMPLES, hidden]
            outer.append(np.abs(others[1:] - others[:-1]).mean())
            kinds.append(len(set(digits.nearest(pictures)[1])))
        within.append(mean(inner))
        between.append(mean(outer))
        classes.append(mean(kinds))
    halves = Contrast([0.5 * one for one in between], within)
    return lab.answer(
        verdict(halves),
        f"{PICTURES} digits, `{MASKS}`, {SAMPLES} completions each: hidden pixels of two "
        f"completions differ by {mean(within) / mean(between):.2f} of what those of two held-out "
        f"digits do (yes from one half on); the nearest training digits of the {SAMPLES} are of "
        f"{mean(classes):.1f} classes",
        pictures=False,
    )


CLAIMS = (
    Claim("likelier samples look better", "figure 7"),
    Claim("failed completions have a low likelihood", "figure 9", failures),
    Claim("completions of one picture are diverse", "figures 5 and 6", diversity),
    Claim(
        "the conditioning network's own loss (alpha > 0) improves results", "section 4.2", own_loss
    ),
)

if __name__ == "__main__":
    main(PAPER, CLAIMS)
