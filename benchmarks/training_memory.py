"""The memory that a dry run announces, beside the peak of a few training steps.

Each row is two fresh processes: one takes the estimate, the other trains STEPS steps on the CPU
and reads the most that it ever held (resident set size). Both include Python, torch and the data.

    python -m benchmarks.training_memory [--only pcnn]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import torch

from inpaint_cli.family import Stage
from inpaint_cli.reporting import Reporter
from inpaint_cli.training.batches import BatchDivision, MaskSource, MicroBatches, SampleOrder
from inpaint_cli.training.loop import Trainer
from inpaint_cli.training.optimisation import to_device
from inpaint_cli.training.plan import MIB, peak_of_process, plan
from inpaint_cli.training.recipe import Recipe, RecipeChoices

STEPS = 4
PRESETS = {
    "pcnn": ("digits", "mnist", "small32"),
    "latent-codes": ("digits", "tiny32"),
    "ipa": ("digits", "mnist", "cpu32"),
    "ipa-r": ("digits", "cpu32"),
    "aipo": ("digits",),
    "aipo-r": ("digits",),
    "picme": ("digits", "small32"),
    "classifier": ("digits", "mnist"),
}
"""Family -> its presets that a laptop trains."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", metavar="FAMILY", choices=PRESETS)
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--estimate", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        family, preset, stage = arguments.row
        take = estimate if arguments.estimate else measure
        print(json.dumps(take(family, preset, stage)))
        return
    print("| model | preset | stage | estimate MiB | measured MiB | estimate / measured |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in [arguments.only] if arguments.only else PRESETS:
        for preset in PRESETS[family]:
            for stage in stages_of(recipe_of(family, preset)):
                row(family, preset, stage)


def row(family: str, preset: str, stage: str) -> None:
    """Print a row of the table."""
    line = [sys.executable, "-m", "benchmarks.training_memory", "--row", family, preset, stage]
    outputs = [
        subprocess.run([*line, *more], check=True, capture_output=True, text=True).stdout
        for more in ([], ["--estimate"])
    ]
    measured, estimated = (json.loads(output) for output in outputs)
    total = sum(estimated.values())
    print(
        f"| `{family}` | `{preset}` | `{stage}` | {total / MIB:,.0f} | {measured / MIB:,.0f} "
        f"| {total / measured:.2f} |",
        flush=True,
    )


def recipe_of(family: str, preset: str) -> Recipe:
    """Return a recipe on pictures that need no download."""
    # The drawn pictures have no classes.
    data = ["digits" if preset == "digits" or family == "classifier" else "graphics"]
    return RecipeChoices(family, data, preset).recipe()


def stages_of(recipe: Recipe) -> dict[str, Stage]:  # type: ignore[type-arg]
    """Return the stages by name."""
    return {stage.name: stage for stage in recipe.family.stages()}


def estimate(family: str, preset: str, stage: str) -> dict[str, int]:
    """Return the bytes that a dry run announces, by what they are for."""
    report = plan(recipe_of(family, preset), torch.device("cpu"), False, Reporter(quiet=True))
    sizes: dict[str, int] = report.facts["stages"][stage]["memory_bytes"]
    return sizes


def measure(family: str, preset: str, stage: str) -> int:
    """Return the most bytes that a process holds that trains a few steps."""
    recipe = recipe_of(family, preset)
    training = recipe.training(stage)
    images, _ = recipe.load_images(False, Reporter(quiet=True))
    height, width = images.images.shape[2:]
    trainer = Trainer(
        stages_of(recipe)[stage],
        training,
        to_device(recipe.build(), torch.device("cpu")),
        MicroBatches(
            images,
            SampleOrder(len(images.images), 0),
            BatchDivision(training.batch_size, training.accumulate),
            MaskSource.of(training, 0, (height, width), None),
            training.augment,
        ),
        STEPS,
        0,
        torch.device("cpu"),
    )
    trainer.run(lambda report: True, lambda: 0)
    return peak_of_process()


if __name__ == "__main__":
    main()
