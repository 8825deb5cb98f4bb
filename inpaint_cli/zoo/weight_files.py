"""Weight files of other projects: where they are looked for, and how they are known to be right.

Nothing is downloaded here: `published.py` does that where it is asked to. A file is taken only if
its SHA-256 is the published one.
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
    get: str
    """What `inpaint models get` calls it."""
    address: str
    size: int
    """In bytes."""
    sha256: str
    use: str
    """What is typed to look through it."""
    licence: str
    instead: tuple[str, ...]
    """What can be done without it: lines of the message."""
    other_names: tuple[str, ...] = ()
    """File names under which it is found, beside that of its address."""

    @property
    def names(self) -> tuple[str, ...]:
        """File names under which it is found; the first is the one to tell people."""
        return self.address.rpartition("/")[2], *self.other_names


_OTHER_FEATURES = (
    "or score with the features of a classifier: one that ships, or any checkpoint of "
    "'inpaint train'.",
)
_OTHER_DISTANCE = (
    "or take as perceptual distance the feature maps of a classifier, uncalibrated: one that "
    "ships, or any checkpoint of 'inpaint train'.",
)
_TORCH_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_TORCHVISION = "https://download.pytorch.org/models"
_BSD = "BSD-3-Clause (torchvision)"

FILES = {
    "inception": WeightFile(
        "Inception weights",
        "inception",
        f"{_TORCH_FIDELITY}/weights-inception-2015-12-05-6726825d.pth",
        95_628_359,
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "--features inception",
        "Apache-2.0 (TensorFlow's Inception of 2015)",
        _OTHER_FEATURES,
        ("pt_inception-2015-12-05-6726825d.pth",),
    ),
    "alex": WeightFile(
        "AlexNet weights",
        "lpips-alex",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        244_408_911,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "--perceptual lpips",
        _BSD,
        _OTHER_DISTANCE,
    ),
    "vgg": WeightFile(
        "VGG16 weights",
        "lpips-vgg",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "--perceptual lpips-vgg",
        _BSD,
        _OTHER_DISTANCE,
    ),
    "squeeze": WeightFile(
        "SqueezeNet weights",
        "lpips-squeeze",
        f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",
        4_958_839,
        "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        "--perceptual lpips-squeeze",
        _BSD,
        _OTHER_DISTANCE,
    ),
}
"""Name -> file. The trunks of LPIPS bear the names that lpips gives them.

Sizes and hashes are those that many public records of these files agree on; the first eight digits
stand in each file's own name.
"""

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
    if digest != FILES[name].sha256:
        return (
            f"{path}: not the {FILES[name].title}: its SHA-256 begins with {digest[:8]}, not with "
            f"{FILES[name].sha256[:8]}. It is damaged, or another file."
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
        "Put the file into one of them, or name its folder by the setting weights_dir;",
        *file.instead,
        "Values of one kind cannot be compared with those of another, nor with published ones.",
    ]
    return "\n  ".join(lines)
