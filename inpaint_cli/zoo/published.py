"""Weight files of others that are fetched: where they lie, and how one is known to be right.

The papers' authors publish neither sizes nor hashes, so those of the first download are shown and
kept beside the file; a later download must give the same. Of the networks that published figures
look through both are known, and compared.
"""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from inpaint_cli import files, locking
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.parsing import json_of, read_text
from inpaint_cli.reporting import Reporter
from inpaint_cli.weights import hash_of
from inpaint_cli.zoo.downloading import download
from inpaint_cli.zoo.weight_files import FILES, WeightFile

_OPENAI = "https://openaipublic.blob.core.windows.net/very-deep-vaes-assets"
_DRIVE = "https://drive.google.com/drive/folders/1h899kAZbypGyRf1djWAiWytU0YHz7190"


@dataclass(frozen=True)
class Published:
    """One weight file of a paper's authors."""

    name: str
    layout: str
    """As after `inpaint convert --from`."""
    file: str
    """Where it lies below the folder of downloads; its folder's name tells presets apart."""
    address: str
    """Of the file itself, or of a web page where it is fetched by hand."""
    by_hand: bool = False


def _openai(name: str, folder: str, file: str) -> Published:
    return Published(f"vdvae-{name}", "vdvae", f"{name}/{file}", f"{_OPENAI}/{folder}/{file}")


def _ipa(name: str) -> Published:
    folder = f"{name}-ipa"
    return Published(f"ipa-{name}", "ipa", f"{folder}/model-ema.th", _DRIVE, by_hand=True)


# The seed of the lowest published loss stands for cifar10: 2.842 bits per dimension.
_FILES = (
    _openai("cifar10", "vdvae-assets-2", "cifar10-seed1-iter-1050000-model-ema.th"),
    _openai("imagenet32", "vdvae-assets", "imagenet32-iter-1700000-model-ema.th"),
    _openai("imagenet64", "vdvae-assets-2", "imagenet64-iter-1600000-model-ema.th"),
    _openai("ffhq256", "vdvae-assets", "ffhq256-iter-1700000-model-ema.th"),
    _openai("ffhq1024", "vdvae-assets", "ffhq1024-iter-1700000-model-ema.th"),
    *(_ipa(name) for name in ("cifar10", "imagenet64", "ffhq256", "xray", "shoes64", "bags64")),
)
PUBLISHED = {entry.name: entry for entry in _FILES}
TRUNKS = {file.get: file for file in FILES.values()}
"""Networks that published figures look through, by the names of `inpaint models get`."""


@dataclass(frozen=True)
class Fetched:
    """A file that was downloaded, and what it is known by."""

    path: Path
    address: str
    size: int
    sha256: str


def names() -> list[str]:
    """Return the names of all files that can be fetched."""
    return [*PUBLISHED, *TRUNKS]


def folder() -> Path:
    """Return the folder of downloads."""
    return files.home() / "published"


def place(name: str, into: Path | None = None) -> Path:
    """Return where a file lies once it is fetched: in `into`, else where it is looked for first."""
    if name in TRUNKS:
        return (into or files.home() / "weights") / TRUNKS[name].names[0]
    return (into or folder()) / PUBLISHED[name].file


def fetch(name: str, reporter: Reporter, into: Path | None = None) -> Fetched:
    """Return the published file called `name`, downloaded unless it is there.

    UserError for an unknown name, for a file that is not what it was when it was downloaded or
    should be, and for one that must be fetched by hand, with where from and where to. ResourceError
    where the network or the disk fails; what has arrived stays, and the next call goes on from
    there. Of a network that came as another file nothing is kept.
    """
    if name in TRUNKS:
        return _fetch_trunk(name, place(name, into), reporter)
    if name not in PUBLISHED:
        raise _unknown(name)
    entry, path = PUBLISHED[name], place(name, into)
    if path.is_file():
        reporter.detail(f"{path} is there; comparing it with what was kept of it")
        return _keep(path, entry)
    if entry.by_hand:
        raise UserError(
            f"{name}: lies in a shared folder without plain downloads. Fetch '{entry.file}' from "
            f"{entry.address} with a browser and put it at {path}; call this again to see and "
            f"keep its SHA-256. Next: {how_to_convert(name, path)}"
        )
    with alone(path):
        download(entry.address, path, reporter)
        try:
            return _keep(path, entry)
        except _Unreadable:
            path.unlink()
            raise


def _fetch_trunk(name: str, path: Path, reporter: Reporter) -> Fetched:
    trunk = TRUNKS[name]
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


def how_to_convert(name: str, path: Path) -> str:
    """Return the command that makes a published file ours."""
    entry = PUBLISHED[name]
    read = shlex.quote(str(path))
    return f"inpaint convert --from {entry.layout} {read} -o {name}.safetensors"


def _unknown(name: str) -> UserError:
    """Return the error for an unknown name: the nearest one and, unlike elsewhere, all of them."""
    known = names()
    near = get_close_matches(name.lower(), known, n=1)
    nearest = f"Did you mean '{near[0]}'? " if near else ""
    return UserError(
        f"models get: no published file called '{name}'. {nearest}Published: {', '.join(known)}."
    )


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other calls out while `path` is downloaded, and remove what killed ones left."""
    files.make_folder(path.parent)

    def refuse() -> None:
        raise UserError(f"{path}: another call is downloading it. Wait for that one.")

    with locking.alone_in(path.parent, refuse):
        files.remove_leftovers(path.parent, alone=True)
        yield


class _Unreadable(UserError):
    """A file is no weight file, whatever it is."""


def _keep(path: Path, entry: Published) -> Fetched:
    """Write down what the file at `path` is; UserError if it was another before.

    What cannot be read as weights is refused, and nothing is kept of it: the true file would not
    be taken any more.
    """
    from inpaint_cli.models.foreign import read_state

    fetched = Fetched(path, entry.address, path.stat().st_size, hash_of(path))
    before = _read_record(path)
    if before and before.get("sha256") != fetched.sha256:
        raise UserError(
            f"{path}: SHA-256 {fetched.sha256}, but it was {before.get('sha256')} before. If the "
            f"authors published another file, remove {_record(path)}; else the file is damaged."
        )
    if not before:
        try:
            read_state(path)
        except UserError as error:
            raise _Unreadable(f"{error} So nothing is kept of it.") from error
    stamp = path.with_name(path.name + ".part.stamp")
    stamp.unlink(missing_ok=True)  # the part that it was of is the file now
    record = {**asdict(fetched), "path": path.name}
    files.write_text(_record(path), json.dumps(record, indent=2) + "\n")
    return fetched


def _read_record(path: Path) -> dict[str, object]:
    try:
        record = json_of(read_text(_record(path)), _record(path))
    except UserError:
        return {}
    return record if isinstance(record, dict) else {}
