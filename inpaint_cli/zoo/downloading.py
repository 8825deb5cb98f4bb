"""One file from a server that may be anybody: a hotel's login page, a proxy, a broken line.

What has arrived stays beside the file, with the suffix .part, and the next call goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from inpaint_cli import files
from inpaint_cli.errors import ResourceError
from inpaint_cli.reporting import Reporter

PIECE = 1 << 20
"""Bytes that are read at a time."""
TIMEOUT_SECONDS = 60
MOST_BYTES = 8 << 30
"""The largest file of weights that is taken; the largest published one has 0.5 GB."""
STARTS = (b"PK", b"\x80")
"""How a file of PyTorch begins: as a zip archive, or as a bare pickle."""


def download(address: str, path: Path, reporter: Reporter) -> None:
    """Download `address` to `path`; a part of an earlier try is continued if it still fits.

    ResourceError where that fails, or where the answer is no file of weights.
    """
    files.make_folder(path.parent)
    part = path.with_name(path.name + ".part")
    stamp = path.with_name(path.name + ".part.stamp")
    if part.is_symlink():  # what it leads to is not ours to write to
        part.unlink()
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


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https, and over http within one host; never from https to anything else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        same = (old.scheme, old.hostname) == (new.scheme, new.hostname)
        if new.scheme != "https" and not (new.scheme == "http" and same):
            raise ResourceError(
                f"{req.full_url}: sends to {newurl[:200]}, which anybody on the way could answer, "
                "so it is not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _open(address: str, part: Path, stamp: Path) -> Iterator[tuple[HTTPResponse, int]]:
    """Yield the server's answer and how many bytes of the file are there already.

    The stamp is the server's mark of the version that the part is of: without the same mark there
    is nothing to continue, for two versions in one file would be neither.
    """
    start = part.stat().st_size if part.is_file() and stamp.is_file() else 0
    headers = {"User-Agent": "inpaint", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": stamp.read_text(encoding="utf-8")}
    request = urllib.request.Request(address, headers=headers)
    try:
        opener = urllib.request.build_opener(_Redirects)
        response = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:  # 416: the part is as long as the file, or longer
            raise
        part.unlink()
        with _open(address, part, stamp) as opened:
            yield opened
        return
    with response:
        _check_answer(address, response)
        if response.status != 206:
            start = 0
        elif not _continues(response, start):
            stamp.unlink(missing_ok=True)
            raise ResourceError(
                f"{address}: the server sent another part of the file than it was asked for. Call "
                "it again; it begins anew."
            )
        mark = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if mark and not mark.startswith("W/"):
            files.write_text(stamp, mark)
        else:
            stamp.unlink(missing_ok=True)
        yield response, start


def _check_answer(address: str, response: HTTPResponse) -> None:
    """Raise ResourceError where the answer is no plain file with an end."""
    kind = response.headers.get_content_type()
    encoding = response.headers.get("Content-Encoding", "identity")
    length = response.headers.get("Content-Length")
    problem = ""
    if kind in ("text/html", "application/xhtml+xml"):
        problem = "a web page came instead of the file; is there a login page on the way?"
    elif encoding != "identity":
        problem = f"it comes packed ({encoding[:40]}), which was not asked for."
    elif length is None and not response.chunked:
        problem = "the server does not say how long the file is, so its end cannot be told."
    elif length is not None and not re.fullmatch(r"\d{1,18}", length):
        problem = f"the server says a length of '{length[:40]}'."
    elif length is not None and int(length) > MOST_BYTES:
        problem = f"{int(length) >> 20} MiB, more than any file of weights has."
    if problem:
        raise ResourceError(f"{address}: {problem}")


def _continues(response: HTTPResponse, start: int) -> bool:
    """Return whether a partial answer is the rest of the file from `start` on."""
    match = re.fullmatch(
        r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", response.headers.get("Content-Range", "")
    )
    if not start or not match:
        return False
    first, last, total = map(int, match.groups())
    length = response.headers.get("Content-Length")
    return first == start and last + 1 == total and length in (None, str(total - start))


def _receive(response: HTTPResponse, part: Path, start: int, reporter: Reporter) -> None:
    """Append the answer to the part; ResourceError if less arrives than was promised."""
    promised = response.headers.get("Content-Length")
    total = start + int(promised) if promised else 0
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
        if done == 0 and not piece.startswith(STARTS):
            raise ResourceError(
                f"{response.url}: what came is no file of PyTorch (it begins with "
                f"{piece[:8]!r}); is there a login page on the way?"
            )
        write(piece)
        advance(_mebibytes(done + len(piece)) - _mebibytes(done))
        done += len(piece)
        if done > MOST_BYTES:
            raise ResourceError(f"{response.url}: does not end, so it is not taken.")
    return done


def _mebibytes(size: int) -> int:
    return size >> 20
