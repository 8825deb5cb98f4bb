"""What a calibration says, its file, and the intervals that it makes of completions.

An interval is mean ± factor * unit, where the unit is the spread of the K completions. The factor
was found on pictures whose truth is known (`inpaint_cli/posterior/calibrating.py`), so that the
share of hidden values outside is at most 1 - level, on average over pictures like those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from inpaint_cli.configuration import from_dict
from inpaint_cli.errors import UserError
from inpaint_cli.files import write_text
from inpaint_cli.parsing import read_bytes, telling_long_names

SCHEMA = 1
KIND = "inpaint calibration"
LARGEST_BYTES = 1 << 20
SpreadKind = Literal["deviation", "range"]
"""deviation: the standard deviation of the K values; range: half from their least to their largest.
Both plus one level of 255, so that equal completions have intervals as well."""
Values = npt.NDArray[np.float64]
WHOLE = (0.0, 1.0)
DIGITS = 9
SLACK = 10.0**-DIGITS
"""In multiples of the unit. Values of few levels often lie at the end of an interval exactly, and
rounding must not decide whether they are inside: scores are rounded, intervals wider by this."""


@dataclass(frozen=True)
class RangeFactor:
    """The factor for pictures whose visible share is in a range."""

    visible: tuple[float, float]
    """The lower end belongs to it; the upper end too where it is 1."""
    n: int
    """Pictures it was found on."""
    factor: float


@dataclass(frozen=True)
class Calibration:
    """How wide intervals must be, for one model under one protocol."""

    model: str
    weights_sha256: str | None
    family: str
    size: int
    channels: int
    levels: int
    """Values that a channel can have."""
    data: str
    data_sha256: str
    split: str
    masks: str
    k: int
    temperature: float | None
    seed: int
    level: float
    """The share of hidden values inside that is promised, on average over pictures."""
    spread: SpreadKind
    factors: tuple[RangeFactor, ...]
    """One for all, or one for each of five ranges of the visible share."""
    score_quantiles: dict[str, float]
    """Of |truth - mean| / unit over the hidden values of all pictures, to look at."""
    version: str

    def __post_init__(self) -> None:
        if not (self.factors and self.k >= 2 and 0.5 < self.level < 1):
            raise UserError("needs factors, k of at least 2 and a level between 0.5 and 1.")
        if self.spread not in get_args(SpreadKind):
            raise UserError(f"must be deviation or range, got {self.spread}.", setting="spread")
        if not all(0 <= one.factor < float("inf") and one.n > 0 for one in self.factors):
            raise UserError("has a factor that is no number of at least 0.")
        ends = [0.0, *(end for one in self.factors for end in one.visible), 1.0]
        if ends[::2] != ends[1::2] or sorted(ends) != ends:
            raise UserError("has factors whose visible ranges do not run from 0 to 1.")

    def factor(self, visible_share: float) -> float:
        """Return the factor for a picture, by the share of it that is visible."""
        for one in self.factors:
            if one.visible[0] <= visible_share < one.visible[1]:
                return one.factor
        return self.factors[-1].factor

    def intervals(self, members: Values, visible_share: float) -> tuple[Values, Values]:
        """Return the ends [...] in 0..1 of the intervals of K completions [K, ...] in 0..1."""
        middle, unit = centre_and_unit(members, self.spread)
        reach = (self.factor(visible_share) + SLACK) * unit
        return np.clip(middle - reach, 0, 1), np.clip(middle + reach, 0, 1)

    def mismatch(
        self,
        name: str,
        weights_sha256: str | None,
        k: int | None,
        temperature: float | None,
        own_temperature: float,
    ) -> str | None:
        """Return why it says nothing on completions that were made thus; None if it does.

        k: how many; None = of a deterministic model, whose one stands for as many equal ones.
        own_temperature: at which the model draws where none is given.
        """
        # Methods without weights are told apart by name.
        same = weights_sha256 == self.weights_sha256 and (weights_sha256 or name == self.model)
        if not same:
            return f"is of {self.model}{_hash(self.weights_sha256)}, not of {name}" + _hash(
                weights_sha256
            )
        if k not in (None, self.k):
            return f"is for {self.k} completions of a picture, and there are {k}"
        made_at, drawn_at = (
            own_temperature if t is None else t for t in (self.temperature, temperature)
        )
        if made_at != drawn_at:
            return f"is for temperature {made_at:g}, not {drawn_at:g}"
        return None

    def facts(self) -> dict[str, Any]:
        """Return what a record says of the calibration that it used."""
        return {
            "level": self.level,
            "factors": [one.factor for one in self.factors],
            "n": sum(one.n for one in self.factors),
            "data": self.data,
            "weights_sha256": self.weights_sha256,
        }


def _hash(digest: str | None) -> str:
    return f" ({digest[:12]})" if digest else ""


def centre_and_unit(members: Values, spread: SpreadKind) -> tuple[Values, Values]:
    """Return mean and unit [...] of K values [K, ...] in 0..1; one value has no spread."""
    if spread == "range":
        width = (members.max(axis=0) - members.min(axis=0)) / 2
    else:
        width = members.std(axis=0, ddof=min(1, len(members) - 1))
    return members.mean(axis=0), width + 1 / 255


def scores(members: Values, truth: Values, spread: SpreadKind) -> Values:
    """Return |truth - mean| / unit of hidden values; members [K, M], truth [M], in 0..1."""
    middle, unit = centre_and_unit(members, spread)
    return np.asarray(np.round(np.abs(truth - middle) / unit, DIGITS))


@telling_long_names
def save(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON."""
    document = {"schema": SCHEMA, "kind": KIND, **asdict(calibration)}
    write_text(path, json.dumps(document, indent=1) + "\n")


def load(path: Path) -> Calibration:
    """Read a calibration; UserError where the file is none, or not of this schema."""
    try:
        document = json.loads(read_bytes(path, LARGEST_BYTES))
    except FileNotFoundError as error:
        raise UserError("no such file.", where=path) from error
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror}).", where=path) from error
    except (ValueError, RecursionError) as error:
        raise _no_calibration(path) from error
    return of_document(document, path)


def of_document(document: Any, path: Path) -> Calibration:
    """Return the calibration that a JSON document says; UserError where it is none."""
    if not isinstance(document, Mapping) or document.get("kind") != KIND:
        raise _no_calibration(path)
    if document.get("schema") != SCHEMA:
        raise UserError(
            f"a calibration of schema {document.get('schema')!r:.20}, where this version reads "
            f"{SCHEMA}. Make it anew with 'inpaint calibrate'.",
            where=path,
        )
    fields = {name: value for name, value in document.items() if name not in ("schema", "kind")}
    return from_dict(Calibration, fields, where=str(path))


def _no_calibration(path: Path) -> UserError:
    return UserError("not a calibration. 'inpaint calibrate -o FILE' makes one.", where=path)


def described(calibration: Calibration) -> Sequence[str]:
    """Return lines that say what a calibration found."""
    lines = []
    for one in calibration.factors:
        low, high = (round(100 * end) for end in one.visible)
        where = "all visible shares" if one.visible == WHOLE else f"{low}-{high} % visible"
        lines.append(f"{where}: factor {one.factor:.3f}, from {one.n} pictures")
    return lines
