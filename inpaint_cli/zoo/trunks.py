"""Networks that published figures look through: one is fetched, and its size and hash compared."""

from __future__ import annotations

from pathlib import Path

from inpaint_cli import files
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.weights import hash_of
from inpaint_cli.zoo.downloading import download
from inpaint_cli.zoo.published import Fetched, alone
from inpaint_cli.zoo.weight_files import FILES, WeightFile

TRUNKS = {file.get: file for file in FILES.values()}
"""Name for `inpaint models get` -> file."""


def place(name: str, into: Path | None = None) -> Path:
    """Return where a file lies once it is fetched: where it is looked for first, or in a folder."""
    return (into or files.home() / "weights") / TRUNKS[name].names[0]


def fetch(name: str, reporter: Reporter, into: Path | None = None) -> Fetched:
    """Return a file, downloaded unless it is there; it is taken only if size and hash are right.

    UserError where another file lies in its place, ResourceError where the network or the disk
    fails or what came is another file, of which nothing is kept.
    """
    trunk, path = TRUNKS[name], place(name, into)
    fetched = Fetched(path, trunk.address, trunk.size, trunk.sha256)
    if path.is_file():
        reporter.detail(f"{path} is there; its SHA-256 is compared")
        if problem := _problem(path, trunk):
            raise UserError(f"{path}: {problem}. Remove it, and call this again.")
        return fetched
    reporter.note(f"{name}: {trunk.size} bytes from {trunk.address}")
    arriving = path.with_name(path.name + ".new")
    with alone(path):
        download(trunk.address, arriving, reporter)
        if problem := _problem(arriving, trunk):
            arriving.unlink()
            raise ResourceError(
                f"{trunk.address}: {problem}. Nothing is kept. Fetch the file elsewhere and put it "
                f"at {path}."
            )
        arriving.replace(path)
    return fetched


def _problem(path: Path, trunk: WeightFile) -> str | None:
    size = path.stat().st_size
    if size != trunk.size:
        return f"{size} bytes, not {trunk.size}"
    digest = hash_of(path)
    return None if digest == trunk.sha256 else f"SHA-256 {digest}, not {trunk.sha256}"
