"""Weight files of other projects: where they are looked for, and how they are known to be right.

Nothing is downloaded here: `trunks.py` does that where it is asked to. A file is taken only if its
SHA-256 begins as published.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inpaint_cli.files import expanded, home
from inpaint_cli.weights import hash_of


class MissingWeights(Exception):
    """A weight file of another project is not on this machine; the text says where to put it."""


@dataclass(frozen=True)
class WeightFile:
    """One file of another project that does not ship."""

    title: str
    """What a message calls it."""
    names: tuple[str, ...]
    """File names under which it is found; the first is the one to tell people."""
    sha256: str
    """How its SHA-256 begins."""
    get: str
    """What `inpaint models get` calls it."""
    instead: tuple[str, ...]
    """What can be done without it: lines of the message."""


_OTHER_FEATURES = (
    "or score with the features of a classifier: one that ships, or any checkpoint of "
    "'inpaint train'.",
)
_OTHER_DISTANCE = (
    "or take as perceptual distance the feature maps of a classifier, uncalibrated: one that "
    "ships, or any checkpoint of 'inpaint train'.",
)

FILES = {
    "inception": WeightFile(
        "Inception weights",
        (
            "weights-inception-2015-12-05-6726825d.pth",
            "pt_inception-2015-12-05-6726825d.pth",
        ),
        "6726825d",
        "inception",
        _OTHER_FEATURES,
    ),
    "alex": WeightFile(
        "AlexNet weights", ("alexnet-owt-7be5be79.pth",), "7be5be79", "lpips-alex", _OTHER_DISTANCE
    ),
    "vgg": WeightFile(
        "VGG16 weights", ("vgg16-397923af.pth",), "397923af", "lpips-vgg", _OTHER_DISTANCE
    ),
    "squeeze": WeightFile(
        "SqueezeNet weights",
        ("squeezenet1_1-b8a52dc0.pth",),
        "b8a52dc0",
        "lpips-squeeze",
        _OTHER_DISTANCE,
    ),
}
"""Name -> file. The trunks of LPIPS bear the names that lpips gives them."""

LOOKALIKES = {
    "inception": {
        "inception_v3_google-0cc3c7bd.pth": "is torchvision's network with 1000 classes, which "
        "gives other figures, so it is not used"
    }
}
"""Files that people take for another one, and why they are not."""


def folders(weights_dir: Path | None = None) -> list[Path]:
    """Return the folders that are searched, in this order, each once."""
    return list(dict.fromkeys(_folders(weights_dir)))


def _folders(weights_dir: Path | None) -> Iterator[Path]:
    if weights_dir is not None:
        yield weights_dir
    yield home() / "weights"
    for variable, below in (("TORCH_HOME", ""), ("XDG_CACHE_HOME", "torch")):
        if os.environ.get(variable):
            yield expanded(os.environ[variable]) / below / "hub" / "checkpoints"
    yield expanded("~/.cache/torch/hub/checkpoints")


def find(name: str, weights_dir: Path | None = None) -> Path:
    """Return the file called `name` in `FILES`, checked. MissingWeights where none is right.

    A file of the right name and another content is passed over, and named in the error.
    """
    wrong = []
    for folder in folders(weights_dir):
        for file_name in FILES[name].names:
            path = folder / file_name
            if not path.is_file():
                continue
            problem = _problem(path, name)
            if not problem:
                return path
            wrong.append(problem)
    raise MissingWeights(_message(name, weights_dir, wrong))


def _problem(path: Path, name: str) -> str | None:
    """Return what is wrong with a file, which is read whole; None if nothing is."""
    try:
        digest = hash_of(path)
    except OSError as error:
        return f"{path.name}: cannot be read ({error.strerror})."
    if not digest.startswith(FILES[name].sha256):
        return (
            f"{path}: not the {FILES[name].title}: its SHA-256 begins with {digest[:8]}, not with "
            f"{FILES[name].sha256}. It is damaged, or another file."
        )
    return None


def _message(name: str, weights_dir: Path | None, wrong: list[str]) -> str:
    file = FILES[name]
    searched = folders(weights_dir)
    beside = [
        f"{folder / lookalike} {why}"
        for folder in searched
        for lookalike, why in LOOKALIKES.get(name, {}).items()
        if (folder / lookalike).is_file()
    ]
    lines = [
        f"the {file.title} ({file.names[0]}) are not on this machine. 'inpaint models "
        f"get {file.get}' fetches them; nothing is fetched unasked.",
        f"Searched: {', '.join(map(str, searched))}.",
        *wrong,
        *beside,
        "Put the file into one of them, or name its folder as weights_dir;",
        *file.instead,
        "Values of one kind cannot be compared with those of another, nor with published ones.",
    ]
    return "\n  ".join(lines)
