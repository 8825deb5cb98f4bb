"""Small trainings, three seeds a side, by which claims of the papers are tried.

The pictures are MNIST's digits at 8 x 8 pixels, the presets those called `digits`: a training takes
a minute or two of one core. A model or a score that lies in the folder already is taken as it is,
so that a measurement which was stopped goes on where it was.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, ClassVar

from inpaint_cli import api
from inpaint_cli.files import write_text

SEEDS = (0, 1, 2)
"""Of the trainings of each side."""
QUANTILE = 4.303
"""Of Student's t with two degrees of freedom: differences of three trainings, 95 %, two-sided."""
COMPLETIONS = 10
FEATURES = "classifier-mnist"


@dataclass(frozen=True)
class Answer:
    """What was found of a claim."""

    answer: str
    figures: str
    """With n, errors, or a link to how."""
    trainings: int = 0
    """Of each side of the comparison; 0 = no training was needed."""


@dataclass(frozen=True)
class Contrast:
    """One figure of two sides, of a training of each per seed."""

    less: Sequence[float]
    """The side that has less of it if the claim holds."""
    more: Sequence[float]

    @property
    def differences(self) -> list[float]:
        """`more` minus `less`, training by training."""
        return [b - a for a, b in zip(self.less, self.more, strict=True)]

    @property
    def error(self) -> float:
        """The standard error of the mean difference, over trainings."""
        return stdev(self.differences) / math.sqrt(len(self.differences))

    @property
    def sign(self) -> int:
        """1 if the difference is surely as claimed, -1 if surely the opposite, 0 otherwise."""
        middle, room = mean(self.differences), QUANTILE * self.error
        return 0 if abs(middle) <= room else 1 if middle > 0 else -1

    def text(self, digits: int = 3) -> str:
        """Return both means, and the mean difference with its standard error."""
        sides = f"{mean(self.less):.{digits}f} against {mean(self.more):.{digits}f}"
        middle = f"{mean(self.differences):.{digits}f} ± {self.error:.{digits}f}"
        return f"{sides}, difference {middle}"


def verdict(*contrasts: Contrast) -> str:
    """Return "yes" where all contrasts are as claimed, "in part" where some are.

    Where none is: "no" if any is surely the opposite, else "not seen".
    """
    signs = {contrast.sign for contrast in contrasts}
    if 1 in signs:
        return "yes" if signs == {1} else "in part"
    return "no" if -1 in signs else "not seen"


@dataclass(frozen=True)
class Lab:
    """A folder of trained models and their scores."""

    folder: Path
    data: str = "mnist"
    limit: int = 500
    """Held-out pictures of a score."""
    PER_VALUE: ClassVar[str] = "per hidden value, mean over images"

    def model(self, name: str, family: str, *settings: str, seed: int, data: str = "") -> Path:
        """Return the weights of a family's preset `digits`, trained with `settings` and a seed."""
        runs = self.folder / "models" / f"{name}-{seed}"
        for path in runs.glob("*/model.safetensors"):
            if (path.parent / "finished").exists():
                return path
        started = next(iter(runs.glob("*/checkpoints/*")), None)
        command = ["--resume", str(started.parent.parent)] if started else []
        if not started:
            command = ["--model", family, "--preset", "digits", "--data", data or self.data]
            command += ["--seed", str(seed), "-o", str(runs), "--workers", "0", *settings]
        print(f"training {runs.name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "inpaint_cli", "train", "-q", *command], check=True)
        (path,) = runs.glob("*/model.safetensors")
        (path.parent / "finished").touch()
        return path

    def models(self, name: str, family: str, *settings: str, data: str = "") -> list[Path]:
        """Return the weights of one training per seed."""
        return [self.model(name, family, *settings, seed=seed, data=data) for seed in SEEDS]

    def on_vaes(
        self, family: str, name: str = "", *settings: str, vae_data: str = ""
    ) -> list[Path]:
        """Return partial encoders of `ipa` or a kin, one on the VAE of each seed."""
        told = f"{family}-{name}" if name else family
        vaes = self.models(f"vae{vae_data}", "ipa", "--stage", "vae", data=vae_data)
        stage = ("--stage", "partial-encoder")
        return [
            self.model(told, family, *stage, "--set", f"vae={vae}", *settings, seed=seed)
            for seed, vae in zip(SEEDS, vaes, strict=True)
        ]

    def seconds(self, models: Sequence[Path], stage: str) -> list[float]:
        """Return how long a stage of each training took."""
        return [
            max(
                line["seconds"]
                for line in log_of(model)
                if line.get("stage") == stage and line["kind"] == "step"
            )
            for model in models
        ]

    def options(self, metric: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a score; `more`: those of `inpaint score` that differ."""
        usual = {"data": self.data, "limit": self.limit, "k": COMPLETIONS, "seed": 0}
        return {**usual, "metrics": metric, **more}

    @staticmethod
    def value(document: Mapping[str, Any], metric: str, line: str = "") -> float:
        """Return the figure of a metric's line, the first one unless named.

        KeyError with the reasons where it was refused.
        """
        lines = [entry for entry in document["metrics"] if entry["name"] == metric]
        for entry in lines:
            if entry["variant"] == (line or entry["variant"]):
                return float(entry["value"])
        raise KeyError(f"{metric} {line}: {[e['variant'] for e in lines]}, {document['refused']}")

    def figure(self, model: Path, metric: str, line: str = "", **options: Any) -> float:
        """Return one figure of a model on held-out pictures."""
        said = json.dumps(options, sort_keys=True).replace("/", "|")
        path = self.folder / "scores" / f"{model.parent.parent.name} {metric} {said}.json"
        if not path.exists():
            (document,) = api.score(str(model), **self.options(metric, options))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(document))
        return self.value(json.loads(path.read_text(encoding="utf-8")), metric, line)

    def side(self, models: Sequence[Path], metric: str, line: str = "", **o: Any) -> list[float]:
        """Return a figure of each of several models."""
        return [self.figure(model, metric, line, **o) for model in models]

    def answer(self, answer: str, figures: str, *, pictures: bool = True) -> Answer:
        """Return an answer of three trainings a side, with the pictures that it rests on."""
        scored = f", {self.limit} pictures scored" if pictures else ""
        return Answer(answer, f"digits at 8 x 8{scored}: {figures}", len(SEEDS))


def log_of(model: Path) -> list[dict[str, Any]]:
    """Return the lines of a training's log."""
    text = (model.parent / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


Measure = Callable[[Lab], Answer]
