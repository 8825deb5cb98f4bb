"""Mean and covariance of features in an npz file, as pytorch-fid and clean-fid write and read them.

The arrays are `mu` [d] and `sigma` [d, d]. Files of ours hold a third one, `inpaint`: a JSON text
that says of which pictures and features they are; the other tools pass over it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inpaint_cli import __version__
from inpaint_cli.archives import RATIO_OF_ARRAYS, Npy, open_zip
from inpaint_cli.errors import UserError
from inpaint_cli.files import hash_of, replacing
from inpaint_cli.metrics.moments import Matrix, Moments
from inpaint_cli.parsing import brief, json_of

SUFFIX = ".npz"
ARRAYS = ("mu", "sigma")
FACTS = "inpaint"
MOST_DIMENSIONS = 8192
"""Features of more values are of no network that is known; their covariance takes 512 MiB."""
MOST_TEXT = 1 << 16
ASYMMETRIC = 1e-5
"""As a part of the largest entry: what sums in float32 may bring."""
NEGATIVE = 1e-3
"""The same of an eigenvalue below 0: a covariance of few pictures in float32 has such ones."""


@dataclass(frozen=True)
class Statistics:
    """Published mean and covariance of the features of some pictures."""

    name: str
    """The file's, without folders."""
    moments: Moments
    """Their n is 2 where the number of pictures is not known, and serves no figure."""
    sha256: str
    n: int | None = None
    """Pictures behind them; None where the file does not say."""
    features: Mapping[str, Any] | None = None
    """Which network they are of, as in a report's "features"; None where the file does not say."""
    prepared: str | None = None
    """How the pictures were resized or cropped before; None where the file does not say."""

    def check(self, described: Mapping[str, Any]) -> None:
        """Raise UserError unless they may be of the network that a report describes."""
        if self.moments.d != described["dim"]:
            raise self._other(f"of {self.moments.d} features", f"{described['dim']}", described)
        for fact in ("weights_sha256", "resize"):
            if self.features is not None and self.features.get(fact) != described[fact]:
                of = brief(f"{self.features.get('id')}, {self.features.get('resize')}", 200)
                raise self._other(f"of other features ({of})", described["resize"], described)

    def _other(self, theirs: str, ours: str, described: Mapping[str, Any]) -> UserError:
        return UserError(
            f"{self.name}: {theirs}; {described['id']} has {ours}. Take the features that it was "
            "made with.",
            setting="reference",
        )

    def described(self) -> dict[str, Any]:
        """Return what a report says of it."""
        return {"name": self.name, "sha256": self.sha256, "n_images": self.n}

    def cautions(self) -> list[str]:
        """Return what a reader of a figure must know of it."""
        count = "an unknown number of" if self.n is None else str(self.n)
        lines = [f"against {self.name}, mean and covariance of {count} pictures"]
        if self.features is None:
            lines.append(
                f"{self.name} does not say which features and which resizing it is of; only the "
                "number of features was compared"
            )
        return lines


def is_meant(path: Path) -> bool:
    """Return whether a reference is a file of statistics, not a folder of pictures."""
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def is_ours(path: Path) -> bool:
    """Return whether a file holds statistics that `save` wrote."""
    try:
        return load(path).features is not None
    except UserError:
        return False


def load(path: Path) -> Statistics:
    """Return what a file holds. UserError for anything that is no mean and covariance.

    Sizes are compared before memory is taken, and pickled arrays are never loaded.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file.", setting="reference")
    with open_zip(path, RATIO_OF_ARRAYS, "reference") as archive:
        names = archive.namelist()
        missing = [name for name in ARRAYS if f"{name}.npy" not in names]
        if missing:
            raise _unfit(path, f"has no array '{missing[0]}'")
        facts = _facts(archive, path) if f"{FACTS}.npy" in names else {}
        mean, covariance = _arrays(archive, path)
    count = facts.get("n_images")
    moments = Moments.given(mean, covariance, count or 2)
    return Statistics(
        path.name,
        moments,
        hash_of(path),
        count,
        facts.get("features"),
        facts.get("prepared"),
    )


def _unfit(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path}: {problem}. A file of statistics has the arrays mu [d] and sigma [d, d], as "
        "pytorch-fid writes them.",
        setting="reference",
    )


def _arrays(archive: zipfile.ZipFile, path: Path) -> tuple[Matrix, Matrix]:
    with Npy(archive, "mu") as mu, Npy(archive, "sigma") as sigma:
        d = mu.shape[0] if len(mu.shape) == 1 else 0
        if not 1 <= d <= MOST_DIMENSIONS or sigma.shape != (d, d):
            raise _unfit(path, f"mu is {list(mu.shape)} and sigma {list(sigma.shape)}")
        for array in (mu, sigma):
            if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
                raise _unfit(path, f"{array.name} is {array.dtype}, not float32 or float64")
        mean, covariance = mu.values().astype(np.float64), sigma.values().astype(np.float64)
    for name, values in (("mu", mean), ("sigma", covariance)):
        if not np.isfinite(values).all():
            raise _unfit(path, f"{name} holds values that are no numbers (NaN or infinite)")
    largest = float(np.abs(covariance).max())
    if float(np.abs(covariance - covariance.T).max()) > ASYMMETRIC * largest:
        raise _unfit(path, "sigma is not symmetric")
    covariance = (covariance + covariance.T) / 2
    if float(np.linalg.eigvalsh(covariance)[0]) < -NEGATIVE * largest:
        raise _unfit(path, "sigma has negative eigenvalues, so it is no covariance")
    return mean, covariance


def _facts(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Return what our own files say beside the arrays."""
    with Npy(archive, FACTS) as text:
        if text.shape != () or text.dtype.kind != "U" or text.size > MOST_TEXT:
            raise _unfit(path, f"'{FACTS}' is {text.dtype} {list(text.shape)}")
        stored = json_of(str(text.values()), path)
    facts = stored if isinstance(stored, dict) else {}
    features, count = facts.get("features"), facts.get("n_images")
    if not isinstance(features, dict) or not isinstance(count, int) or not 2 <= count < 1 << 53:
        raise _unfit(path, f"'{FACTS}' does not say of which pictures and features it is")
    prepared = facts.get("prepared")
    return {
        "features": features,
        "n_images": count,
        "prepared": prepared if isinstance(prepared, str) else None,
    }


def save(
    path: Path, moments: Moments, described: Mapping[str, Any], prepared: str = "none"
) -> None:
    """Write the moments of some features, and of which features they are, whole or not at all.

    prepared: how the pictures were resized or cropped before.
    """
    features = {fact: described[fact] for fact in ("id", "dim", "resize", "weights_sha256")}
    facts = {
        "version": __version__,
        "n_images": moments.n,
        "features": features,
        "prepared": prepared,
    }
    text = np.array(json.dumps(facts, sort_keys=True))
    arrays = {"mu": moments.mean, "sigma": moments.covariance, FACTS: text}
    with replacing(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]  # its stubs want a flag here
