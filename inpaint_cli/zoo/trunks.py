"""Networks that published figures look through: where they lie, and how one is fetched.

Sizes and hashes are those that many public records of these files agree on; the first eight digits
stand in each file's own name. What arrives is compared with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inpaint_cli import files
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.weights import hash_of
from inpaint_cli.zoo.downloading import download
from inpaint_cli.zoo.published import Fetched, alone
from inpaint_cli.zoo.weight_files import FILES

_TORCH_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_TORCHVISION = "https://download.pytorch.org/models"


@dataclass(frozen=True)
class Trunk:
    """One file of another project."""

    key: str
    """Its name in `weight_files.FILES`."""
    address: str
    size: int
    """In bytes."""
    sha256: str
    use: str
    """What is typed to look through it."""
    licence: str


TRUNKS = {
    "inception": Trunk(
        "inception",
        f"{_TORCH_FIDELITY}/weights-inception-2015-12-05-6726825d.pth",
        95_628_359,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "--features inception",
        "Apache-2.0 (TensorFlow's Inception of 2015)",
    ),
    "lpips-alex": Trunk(
        "alex",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        244_408_911,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "--perceptual lpips",
        "BSD-3-Clause (torchvision)",
    ),
    "lpips-vgg": Trunk(
        "vgg",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "--perceptual lpips-vgg",
        "BSD-3-Clause (torchvision)",
    ),
    "lpips-squeeze": Trunk(
        "squeeze",
        f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
        4_958_839,
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        "--perceptual lpips-squeeze",
        "BSD-3-Clause (torchvision)",
    ),
}
"""Name for `inpaint models get` -> file."""


def place(name: str, into: Path | None = None) -> Path:
    """Return where a file lies once it is fetched: where it is looked for first, or in a folder."""
    return (into or files.home() / "weights") / FILES[TRUNKS[name].key].names[0]


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


def _problem(path: Path, trunk: Trunk) -> str | None:
    size = path.stat().st_size
    if size != trunk.size:
        return f"{size} bytes, not {trunk.size}"
    digest = hash_of(path)
    return None if digest == trunk.sha256 else f"SHA-256 {digest}, not {trunk.sha256}"
