"""A reference: what is usual for one model, as `inpaint ood --fit` found it; and its file.

The file is safetensors with a digest. The header has the facts, the tensors are in float64: of each
stratum and score `trend`, `mean`, `covariance`, and the scores of the calibration pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from inpaint_cli import tensors
from inpaint_cli.bounds import MOST_COMPLETIONS
from inpaint_cli.configuration import from_dict
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.targets import Contestant
from inpaint_cli.parsing import check_regular, json_of, telling_long_names
from inpaint_cli.photos.arguments import one_of
from inpaint_cli.posterior.ood_features import Form, StatisticKind, length_of
from inpaint_cli.posterior.ood_scores import Scale, is_finite, p_values, signed_log

SCHEMA = 1
HEADER = "inpaint_ood_reference"
LARGEST_BYTES = 1 << 24
LARGEST_FEATURES = 4096
Values = npt.NDArray[np.float64]
Transform = Literal["log", "none"]
Fit = Literal["pooled", "by-visible"]
Stratum = Literal["masked", "whole"]
STRATA: tuple[Stratum, ...] = ("masked", "whole")
"""Pictures of which a part is visible, and such with nothing hidden."""
SCORES: Mapping[str, tuple[StatisticKind, str]] = {
    "gradient-log": ("gradient", "temperature gradient, signed logarithms"),
    "gradient": ("gradient", "temperature gradient as published"),
    "likelihood": ("likelihood", "bound of log p(visible) a value"),
    "agreement": ("agreement", "completions of what was held back"),
}
"""Name of a score -> the statistic it is of, and what it is in words."""


@dataclass(frozen=True)
class Facts:
    """Of which model, pictures and masks a reference is."""

    model: str
    weights_sha256: str
    family: str
    size: int
    channels: int
    data: str
    data_sha256: str
    """Of the training pictures it was fitted to."""
    held_out_sha256: str
    masks: str
    passes: int
    form: Form
    fit: Fit
    seed: int
    n: dict[str, int]
    """Stratum -> pictures of the fit."""
    held_out: dict[str, int]
    """Stratum -> pictures of the calibration."""
    not_finite: dict[str, int]
    """Stratum -> pictures of the fit that were left out."""
    scores: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Known:
    """What is usual, of one score in one stratum."""

    scale: Scale
    calibration: Values
    """[n], the scores of pictures that the fit did not see."""


@dataclass(frozen=True)
class Reference:
    """Everything that a picture is compared with."""

    facts: Facts
    known: Mapping[tuple[str, str], Known]
    """(stratum, score) -> what is usual."""

    def judge(
        self, stratum: str, name: str, features: Mapping[StatisticKind, Values], shares: Values
    ) -> tuple[Values, Values]:
        """Return scores and p-values [N] of pictures of one stratum.

        features: statistic -> [N, L]; shares: [N], their visible shares.
        """
        known = self.known[stratum, name]
        scores = known.scale.scores(transformed(name, features), shares)
        return scores, p_values(known.calibration, scores)

    def check(self, contestant: Contestant) -> None:
        """Raise UserError where it is of another model."""
        facts, model = self.facts, contestant.model
        if facts.weights_sha256 != contestant.weights_sha256:
            raise UserError(
                f"is of {facts.model} (weights {facts.weights_sha256}), not of {contestant.name} "
                f"(weights {contestant.weights_sha256}). Make one with 'inpaint ood --fit'.",
                setting="reference",
            )
        if (facts.size, facts.channels) != (model.size, model.channels):
            raise UserError(
                f"is for {facts.size}x{facts.size} pixels in {facts.channels} channels, and the "
                f"model takes {model.size}x{model.size} in {model.channels}.",
                setting="reference",
            )
        for (_, name), known in self.known.items():
            length, models = len(known.scale.mean), length_of(contestant, SCORES[name][0])
            if length != models:
                raise UserError(
                    f"is of {length} features of {name}, and {contestant.name} has {models}. "
                    "Make one with 'inpaint ood --fit'.",
                    setting="reference",
                )

    def chosen(self, kind: StatisticKind | None, transform: Transform | None) -> str:
        """Return the name of the score that is asked for; UserError where it has none such.

        transform: of the gradient alone; None = its logarithm.
        """
        one_of(kind, "statistic", StatisticKind)
        one_of(transform, "transform", Transform)
        wanted = kind or SCORES[self.facts.scores[0]][0]
        if transform and wanted != "gradient":
            raise UserError(
                f"is of the gradient alone, and the score is the {wanted}.", setting="transform"
            )
        name = "gradient-log" if wanted == "gradient" and transform != "none" else wanted
        if name not in self.facts.scores:
            raise UserError(
                f"the reference has {', '.join(self.facts.scores)}, not {wanted}.",
                setting="statistic",
            )
        return name


def transformed(name: str, features: Mapping[StatisticKind, Values]) -> Values:
    """Return the features [N, L] that a score is made of."""
    values = features[SCORES[name][0]]
    return signed_log(values) if name == "gradient-log" else values


@telling_long_names
def save(reference: Reference, path: Path) -> None:
    """Write a reference."""
    import torch

    parts = {}
    for (stratum, name), known in reference.known.items():
        scale = known.scale
        arrays = {
            "trend": scale.trend,
            "mean": scale.mean,
            "covariance": scale.covariance,
            "calibration": known.calibration,
        }
        for part, array in arrays.items():
            parts[f"{stratum}.{name}.{part}"] = torch.from_numpy(np.ascontiguousarray(array))
    document = {"schema": SCHEMA, **asdict(reference.facts)}
    tensors.save(path, parts, {HEADER: json.dumps(document)})


def load(path: Path) -> Reference:
    """Read a reference; UserError where the file is none, is damaged, or has another schema."""
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        if path.stat().st_size > LARGEST_BYTES:
            raise _none(path)
        with safe_open(path, framework="pt") as handle:
            text = (handle.metadata() or {}).get(HEADER)
            if text is None:
                raise _none(path)
            facts = _facts(json_of(text, path), path)
            tensors.check(path)
            arrays = {name: handle.get_tensor(name).numpy() for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError("no such file.", where=path) from error
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror}).", where=path) from error
    except (SafetensorError, TypeError) as error:
        raise _none(path) from error
    try:
        return Reference(facts, _known(facts, arrays))
    except (KeyError, ValueError, np.linalg.LinAlgError) as error:
        raise UserError("its tensors are not those of a reference.", where=path) from error


def _facts(document: Any, path: Path) -> Facts:
    if not isinstance(document, Mapping):
        raise _none(path)
    if document.get("schema") != SCHEMA:
        raise UserError(
            f"a reference of schema {document.get('schema')!r:.20}, where this version reads "
            f"{SCHEMA}. Make it anew with 'inpaint ood --fit'.",
            where=path,
        )
    fields = {name: value for name, value in document.items() if name != "schema"}
    facts = from_dict(Facts, fields, where=str(path))
    names = set(facts.scores)
    if not names or not names <= SCORES.keys() or len(names) < len(facts.scores):
        raise UserError("says nothing of known scores.", where=path)
    if any(counts.keys() != set(STRATA) for counts in (facts.n, facts.held_out, facts.not_finite)):
        raise UserError(f"its counts are not those of {' and '.join(STRATA)}.", where=path)
    if not 1 <= facts.passes <= MOST_COMPLETIONS or facts.seed < 0:
        raise UserError("says nothing of how often and with which seed a model walks.", where=path)
    return facts


def _known(facts: Facts, arrays: Mapping[str, Any]) -> dict[tuple[str, str], Known]:
    """Return what is usual; ValueError or KeyError where the tensors do not fit together."""
    known = dict[tuple[str, str], Known]()
    for stratum in STRATA:
        for name in facts.scores:
            parts = ("trend", "mean", "covariance", "calibration")
            trend, mean, covariance, scores = (arrays[f"{stratum}.{name}.{p}"] for p in parts)
            length = mean.size
            shapes = [(4, length), (length,), (length, length), (scores.size,)]
            if SCORES[name][0] != "gradient":
                shapes[2] = (0, 0)
            given = (trend, mean, covariance, scores)
            if [a.shape for a in given] != shapes or not 0 < length <= LARGEST_FEATURES:
                raise ValueError("shapes")
            if not scores.size or any(a.dtype != np.float64 for a in given):
                raise ValueError("types")
            if not all(is_finite(a.reshape(1, -1)) for a in given[:3]) or np.isnan(scores).any():
                raise ValueError("not finite")
            if covariance.size:
                np.linalg.cholesky(covariance)
            known[stratum, name] = Known(Scale(trend, mean, covariance), scores)
    return known


def _none(path: Path) -> UserError:
    return UserError("not a reference. 'inpaint ood --fit -o FILE' makes one.", where=path)
