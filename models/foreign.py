"""Weight files of other programs, read without executing anything in them."""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import torch
from torch import Tensor, nn

from inpaint_cli import building
from inpaint_cli.errors import UserError
from inpaint_cli.family import Model
from inpaint_cli.parsing import brief

Network = TypeVar("Network", bound=nn.Module)

PACKAGES = frozenset(
    (
        *("accelerate", "hydra", "lightning", "lightning_fabric", "pytorch_lightning"),
        *("torchmetrics", "transformers", "wandb"),
        *("addict", "easydict", "ml_collections", "munch", "omegaconf", "yacs"),
        *("argparse", "datetime", "enum", "numpy", "pathlib", "typing", "uuid"),
    )
)
"""Packages whose objects training checkpoints carry beside their weights; never imported here."""
_BUILTINS = (bool, bytes, complex, dict, float, frozenset, int, list, object, set, str, tuple)
NAMES = frozenset(
    (
        *("collections.defaultdict", "collections.deque", "types.SimpleNamespace"),
        *(f"builtins.{kind.__name__}" for kind in _BUILTINS),
    )
)
"""Plain data of the standard library."""
OLD_NAMES = {
    "__builtin__.long": "builtins.int",
    "__builtin__.unicode": "builtins.str",
    "__builtin__": "builtins",
}
"""What Python 2, and pickles in its form, call them."""
TABLES = frozenset(("cfgnode", "munch"))
"""Classes that are dictionaries, beside those whose name ends in "dict"."""
STATE_DICT = "state_dict"
"""The name of a trainer's table of weights, whatever other tables lie beside it."""
WRAPPERS = ("module", "_orig_mod")
"""What parallel training and compiling put before the names of the network they wrap."""
NO_WEIGHTS = ("opt", "lr_", "sched", "scaler")
"""Beginnings of names of what a trainer keeps beside the weights."""
PICKLE = b"\x80"
"""The first byte of a bare pickle."""
MOST_REPEATED, FEW_BYTES = 16, 1 << 26
"""Tensors that share their values take no more than so many times the bytes of their file, and so
many in all."""
PIECE_BYTES = 1 << 20
LEGACY_PICKLES = 4
"""A file from before 2020 begins with so many: two numbers, the machine, and what was saved."""


UNSUPPORTED = re.compile(r"Unsupported operand (\d+)")
GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
"""How torch names an operation of a pickle that it does not know, and a class that it refuses."""
NEWER = range(0x8C, 0x99)
"""The operations that protocols 4 and 5 of pickle added."""
TORCH_SCRIPT = "constants.pkl"
"""A file in archives of TorchScript alone."""


class Inert:
    """Stands for an unwanted object of a checkpoint: does nothing, keeps nothing."""

    def __new__(cls, *arguments: object) -> Any:
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class InertTable(Inert):
    """Stands for the class of a dictionary: torch fills in no other class than its own ones."""

    def __new__(cls, *arguments: object) -> Any:
        return OrderedDict()


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file or of a PyTorch file, by name, on the CPU.

    A training checkpoint gives its one table of tensors, whatever it is called (`state_dict` if
    there are several, but never the optimiser's), and names lose what wrappers put before them.
    Tensors stay on the disk until they are used, where the format allows it. UserError for files
    that are damaged or hold code.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder. Give the files in it.")
    if path.suffix == ".safetensors":
        return unwrapped(_read_safetensors(path))
    state = _table(_unpickled(path), path)
    _check_size(state, path)
    return unwrapped(state)


def skeleton(build: Callable[[], Network], tensors: int, where: Path) -> Network:
    """Return a network without memory ("meta"), whose shapes are compared with a file's.

    UserError about `where` as soon as it has far more parts than there are tensors to fill it.
    """
    try:
        with torch.device("meta"), building.at_most(building.parts_for(tensors)):
            return build()
    except building.TooLarge as error:
        raise UserError(f"{where}: {error} The weights are {tensors} tensors.") from error


def unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors by their names without the wrappers of the network or of its parts.

    >>> list(unwrapped({"module.module.a.b": torch.ones(1)}))
    ['a.b']
    >>> list(unwrapped({"net.module.a.b": torch.ones(1), "other.a": torch.ones(1)}))
    ['net.a.b', 'other.a']
    """
    parts = {name: name.split(".") for name in state}
    for depth in (0, 1):
        for head in {tuple(part[:depth]) for part in parts.values()}:
            inside = {n: p for n, p in parts.items() if tuple(p[:depth]) == head}
            # A layer's own `module.weight` is no wrapped network: what is below has parts.
            while all(len(p) > 2 * depth + 1 and p[depth] in WRAPPERS for p in inside.values()):
                inside = {n: [*p[:depth], *p[depth + 1 :]] for n, p in inside.items()}
            parts |= inside
    return {".".join(parts[name]): tensor for name, tensor in state.items()}


def check_finite(model: Model, files: Sequence[Path]) -> None:
    """Raise UserError where a converted model holds values that are no numbers."""
    state: dict[str, Tensor] = model.state_dict()  # type: ignore[attr-defined]
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                f"{', '.join(map(str, files))}: '{name}' would hold values that are no numbers "
                "(NaN or infinite): the file is damaged, or its training failed."
            )


def check_fit(stored: Tensor, wanted: Tensor, name: str, asking: str) -> None:
    """Raise UserError for a tensor of another shape than `wanted`, or of integers in its place.

    name: of the tensor, with its file; asking: who wants it so, such as "the config asks".
    """
    is_whole = wanted.is_floating_point() and not stored.is_floating_point()
    if stored.shape != wanted.shape or is_whole:
        has, needs = (f"{shape_text(t.shape)} of {_number_text(t)}" for t in (stored, wanted))
        raise UserError(f"{name} is {has}; {asking} for {needs}.")


def _number_text(tensor: Tensor) -> str:
    return "float" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as people read it.

    >>> shape_text((4, 3)), shape_text(())
    ('4x3', 'one number')
    """
    return "x".join(map(str, shape)) or "one number"


def _check_size(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise UserError for tensors whose values are not all in the file, however large they are."""
    for name, tensor in state.items():
        if kind := _strange(tensor):
            raise UserError(f"{path}: '{name}' is a {kind} tensor, which is not read.")
    size, claimed = path.stat().st_size, sum(t.numel() * t.element_size() for t in state.values())
    if claimed > MOST_REPEATED * size + FEW_BYTES:
        raise UserError(
            f"{path}: its tensors would take {claimed >> 20} MiB, but it has {size >> 10} KiB: it "
            "is damaged, or made to fill a machine."
        )


def _strange(tensor: Tensor) -> str:
    """Return what kind a tensor is of which the values are not plain numbers in the file."""
    kinds = {
        "nested": tensor.is_nested,
        "sparse": tensor.layout is not torch.strided,
        "quantised": tensor.is_quantized,
        "complex": tensor.is_complex(),
        "meta (empty)": tensor.is_meta,
    }
    return next((kind for kind, holds in kinds.items() if holds), "")


def _table(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the one table of tensors, however deep it lies."""
    tables = dict(_tables(content))
    named = [key for key in tables if key.rpartition("/")[2] == STATE_DICT]
    if len(tables) > 1 and len(named) != 1:
        contents = ", ".join(f"{key} ({len(table)})" for key, table in tables.items())
        raise UserError(
            f"{path}: holds {len(tables)} tables of tensors: {contents}. Save the one to use alone."
        )
    if not tables:
        raise UserError(f"{path}: not a state dict (names to tensors){_culprit(content)}.")
    return tables[named[0] if len(tables) > 1 else next(iter(tables))]


def _tables(content: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the tables of names to tensors in what was saved, with their places.

    Each is looked into once: a small file may hold a table in itself, or in a million places.
    """
    waiting, known = [("", content)], dict[int, bool]()
    while waiting:
        place, inside = waiting.pop()
        if not isinstance(inside, Mapping) or isinstance(inside, Tensor):
            continue
        is_new = id(inside) not in known
        if known.setdefault(id(inside), is_new and _is_table(inside)):
            yield place, dict(inside)
        elif is_new:
            waiting += [
                (f"{place}/{name}" if place else name, value)
                for name, value in list(inside.items())[::-1]
                if isinstance(name, str) and not name.lower().startswith(NO_WEIGHTS)
            ]


def _is_table(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(
        isinstance(n, str) and isinstance(t, Tensor) and t.ndim >= 0 for n, t in content.items()
    )


def _culprit(content: Any) -> str:
    if not isinstance(content, Mapping):
        return ""
    inner = content.get(STATE_DICT, content)
    for name, value in inner.items() if isinstance(inner, Mapping) else ():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            return f": {name!r} is no tensor"
    return ""


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged, or not a safetensors file ({error}).") from error


def _unpickled(path: Path) -> Any:
    if not path.stat().st_size:
        raise UserError(f"{path}: damaged: an empty file.")
    mapped = _is_zip(path)  # files from before 2020 are bare pickles
    classes = _classes(path, mapped)
    inert: list[Any] = [(_stand_in(name), name) for name in classes if _is_inert(name)]
    try:
        # torch's remarks, such as on the version of a pickle; what it cannot read is an error.
        with warnings.catch_warnings(), torch.serialization.safe_globals(inert):
            warnings.simplefilter("ignore")
            if mapped:
                _check_sums(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        with path.open("rb") as handle:
            if not mapped and handle.read(1) != PICKLE:
                raise UserError(f"{path}: damaged, or not a PyTorch file.") from error
        raise _refused(path, classes, error) from error
    except (MemoryError, UserError):
        raise
    # Of damaged files torch raises what comes: AssertionError, RuntimeError, LookupError, ...
    except Exception as error:
        # Its first sentence: what follows is about torch's own code.
        reason = brief(str(error).partition(". ")[0], 100)
        raise UserError(f"{path}: damaged, or not a PyTorch file ({reason}).") from error


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # one that says it goes on elsewhere: reading it says what is wrong
        return True


def _check_sums(path: Path) -> None:
    """Raise UserError for a file of which a part is not what was written, by the zip's own sums.

    torch compares none of them. Files saved without sums have none that fits.
    """
    with zipfile.ZipFile(path) as archive:
        if any(name.rpartition("/")[2] == TORCH_SCRIPT for name in archive.namelist()):
            raise UserError(f"{path}: a program (TorchScript). Save its state_dict() alone.")
        fits = {info.filename: _fits(archive, info) for info in archive.infolist()}
    damaged = [name for name, whole in fits.items() if not whole]
    if damaged and any(fits.values()):
        raise UserError(f"{path}: damaged: '{damaged[0]}' in it is not what was written.")


def _fits(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Return whether a part of an archive has the sum that its directory says."""
    try:
        with archive.open(info) as handle:
            while handle.read(PIECE_BYTES):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def _refused(path: Path, classes: Sequence[str], error: Exception) -> UserError:
    ours = ("torch.", "collections.OrderedDict", "collections.Counter")
    named = [name for name in classes if not _is_inert(name) and not name.startswith(ours)]
    operand = UNSUPPORTED.search(str(error))
    if not named and operand and int(operand[1]) in NEWER:
        return UserError(
            f"{path}: a pickle of protocol 4 or 5, which is not read. Save its state once more "
            "with torch.save(state, FILE)."
        )
    refused = GLOBAL.findall(str(error))
    # Where no class is at fault, torch says what is, and advises to run it: its first sentence.
    told = str(error).split(". ")[0].strip()
    reason = ", ".join(named or refused) or f"more than tensors ({told})"
    return UserError(
        f"{path}: refused: it holds {reason}, which could run code when loaded. Save its "
        "state_dict() alone."
    )


def _stand_in(name: str) -> type[Inert]:
    last = name.rpartition(".")[2].lower()
    return InertTable if last.endswith("dict") or last in TABLES else Inert


def _is_inert(name: str) -> bool:
    return name in NAMES or name.partition(".")[0] in PACKAGES


def _classes(path: Path, mapped: bool) -> list[str]:
    """Return the classes and functions that a PyTorch file names; nothing is imported or called.

    A file that is damaged gives those before the damage: reading it says what is wrong.
    """
    names: dict[str, None] = {}
    try:
        if mapped:
            with zipfile.ZipFile(path) as archive:
                inside = (n for n in archive.namelist() if n.split("/")[-1] == "data.pkl")
                with archive.open(next(inside)) as handle:
                    names.update(dict.fromkeys(_named(handle)))
        else:
            with path.open("rb") as handle:
                for _ in range(LEGACY_PICKLES):
                    for name in _named(handle):
                        names[name] = None
    except (OSError, ValueError, EOFError, StopIteration, RuntimeError, zipfile.BadZipFile):
        pass
    return list(names)


def _named(handle: IO[bytes]) -> Iterator[str]:
    """Yield the classes that one pickle names, as they are called today."""
    for operation, argument, _ in pickletools.genops(handle):
        if operation.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            full = f"{module}.{name}"
            yield OLD_NAMES.get(full, f"{OLD_NAMES.get(module, module)}.{name}")
