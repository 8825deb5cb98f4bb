"""Weight files of the papers' authors: where they lie, and how one is downloaded and known again.

Their authors publish neither sizes nor hashes, so those of the first download are shown and kept
beside the file; a later download must give the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from inpaint_cli import files
from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.reporting import Reporter
from inpaint_cli.weights import hash_of

_OPENAI = "https://openaipublic.blob.core.windows.net/very-deep-vaes-assets"
_DRIVE = "https://drive.google.com/drive/folders/1h899kAZbypGyRf1djWAiWytU0YHz7190"
PIECE = 1 << 20
"""Bytes that are read at a time."""
TIMEOUT_SECONDS = 60


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


@dataclass(frozen=True)
class Fetched:
    """A file that was downloaded, and what it is known by."""

    path: Path
    address: str
    size: int
    sha256: str


def folder() -> Path:
    """Return the folder of downloads."""
    return files.home() / "published"


def place(name: str, into: Path | None = None) -> Path:
    """Return where the published file called `name` lies, or will lie: below `into`."""
    return (into or folder()) / PUBLISHED[name].file


def fetch(name: str, reporter: Reporter, into: Path | None = None) -> Fetched:
    """Return the published file called `name`, downloaded unless it is there.

    UserError for an unknown name, for a file that is not what it was when it was downloaded, and
    for one that must be fetched by hand, with where from and where to. ResourceError where the
    network or the disk fails; what has arrived stays, and the next call goes on from there.
    """
    if name not in PUBLISHED:
        raise _unknown(name)
    entry, path = PUBLISHED[name], place(name, into)
    if path.is_file():
        return _known(path, entry, reporter)
    if entry.by_hand:
        raise UserError(
            f"{name}: lies in a shared folder without plain downloads. Fetch '{entry.file}' from "
            f"{entry.address} with a browser and put it at {path}; call this again to see and "
            f"keep its SHA-256. Next: {how_to_convert(name, path)}"
        )
    download(entry.address, path, reporter)
    return _keep(path, entry)


def how_to_convert(name: str, path: Path) -> str:
    """Return the command that makes a published file ours."""
    entry = PUBLISHED[name]
    read = shlex.quote(str(path))
    return f"inpaint convert --from {entry.layout} {read} -o {name}.safetensors"


def _unknown(name: str) -> UserError:
    """Return the error for an unknown name: the nearest one and, unlike elsewhere, all of them."""
    near = get_close_matches(name.lower(), PUBLISHED, n=1)
    nearest = f"Did you mean '{near[0]}'? " if near else ""
    return UserError(
        f"models get: no published file called '{name}'. {nearest}"
        f"Published: {', '.join(PUBLISHED)}."
    )


def _stamp(path: Path) -> Path:
    return path.with_name(path.name + ".part.stamp")


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _keep(path: Path, entry: Published) -> Fetched:
    """Write down what the file at `path` is; UserError if it was another before."""
    fetched = Fetched(path, entry.address, path.stat().st_size, hash_of(path))
    before = _read_record(path)
    if before and before.get("sha256") != fetched.sha256:
        raise UserError(
            f"{path}: SHA-256 {fetched.sha256}, but it was {before.get('sha256')} before. If the "
            f"authors published another file, remove {_record(path)}; else the file is damaged."
        )
    _stamp(path).unlink(missing_ok=True)  # the part that it was of is the file now
    record = {**asdict(fetched), "path": path.name}
    files.write_text(_record(path), json.dumps(record, indent=2) + "\n")
    return fetched


def _known(path: Path, entry: Published, reporter: Reporter) -> Fetched:
    reporter.detail(f"{path} is there; comparing it with what was kept of it")
    return _keep(path, entry)


def _read_record(path: Path) -> dict[str, object]:
    try:
        record = json.loads(_record(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def download(address: str, path: Path, reporter: Reporter) -> None:
    """Download `address` to `path`; a part of an earlier try is continued if it still fits.

    ResourceError where that fails; the part stays beside `path`, with the suffix .part.
    """
    files.make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    stamp = _stamp(path)
    try:
        with _open(address, part, stamp) as (response, start):
            _receive(response, part, start, reporter)
        part.replace(path)
        stamp.unlink(missing_ok=True)
    except (HTTPException, TimeoutError, ConnectionError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        code = f"{error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise ResourceError(
            f"{address}: could not be downloaded ({code}{reason}). Call it again; it goes on "
            "where it stopped."
        ) from error
    except OSError as error:
        raise ResourceError(f"{part}: cannot be written ({error.strerror or error}).") from error


@contextlib.contextmanager
def _open(address: str, part: Path, stamp: Path) -> Iterator[tuple[HTTPResponse, int]]:
    """Yield the server's answer and how many bytes of the file are there already.

    The stamp is the server's mark of the version that the part is of: without the same mark there
    is nothing to continue, for two versions in one file would be neither.
    """
    start = part.stat().st_size if part.is_file() and stamp.is_file() else 0
    headers = {"User-Agent": "inpaint"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": stamp.read_text(encoding="utf-8")}
    request = urllib.request.Request(address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:  # 416: the part is as long as the file, or longer
            raise
        part.unlink()
        with _open(address, part, stamp) as opened:
            yield opened
        return
    with response:
        if response.status != 206:
            start = 0
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if mark and not mark.startswith("W/"):
            files.write_text(stamp, mark)
        else:
            stamp.unlink(missing_ok=True)
        yield response, start


def _receive(response: HTTPResponse, part: Path, start: int, reporter: Reporter) -> None:
    """Append the answer to the part; ResourceError if less arrives than was promised."""
    promised = response.headers.get("Content-Length")
    total = start + int(promised) if promised and promised.isdigit() else 0
    with (
        part.open("r+b" if start else "wb") as handle,
        reporter.progress(f"{part.stem} (MiB)", _mebibytes(total), _mebibytes(start)) as advance,
    ):
        handle.seek(start)
        done = _copy(response, handle.write, start, advance)
        handle.flush()
        os.fsync(handle.fileno())
    if total and done != total:
        raise ResourceError(
            f"{part}: the connection ended after {done} of {total} bytes. Call it again; it goes "
            "on where it stopped."
        )


def _copy(
    response: HTTPResponse,
    write: Callable[[bytes], int],
    start: int,
    advance: Callable[[int], None],
) -> int:
    """Copy the answer in pieces; return the size of the file so far."""
    done = start
    while piece := response.read(PIECE):
        write(piece)
        advance(_mebibytes(done + len(piece)) - _mebibytes(done))
        done += len(piece)
    return done


def _mebibytes(size: int) -> int:
    return size >> 20
