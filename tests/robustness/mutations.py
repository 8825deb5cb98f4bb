"""Seeded changes of files: blind ones, and such that keep the structure that a reader checks."""

from __future__ import annotations

import gzip
import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80")
VALUES = (
    "-1", "0", "1e999", "nan", "true", '"a"', "[]", "{}", "null", "1979-05-27", "2.5", '""',
    "9" * 5000, "0x" + "f" * 5000, "60000", "1000000000", str(2**63), "[" * 3000, '["x", 1]',
    "{a = 1}", '{"a": 1}', '"\\u0000"', '"' + "x" * 3000 + '"',
)  # fmt: skip
"""In place of a value of TOML or JSON."""
TOKEN = re.compile(rb"""-?\b\d[\w.+-]*|"[^"\n]*"|\btrue\b|\bfalse\b|\bnull\b""")


def blind(data: bytes, draw: random.Random) -> bytes:
    """Return the file with bits turned over, and pieces cut out, put in, doubled or emptied."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place, length = draw.randrange(len(changed) + 1), draw.choice((1, 2, 4, 16, 200))
        piece = slice(place, place + length)
        kind = draw.randrange(7)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del changed[place:]
        elif kind == 2:
            changed[place:place] = draw.randbytes(length)
        elif kind == 3:
            changed[place:place] = changed[piece]
        elif kind == 4:
            changed[piece] = bytes(len(changed[piece]))
        elif kind == 5:
            extreme = draw.choice(EXTREMES)
            changed[place : place + len(extreme)] = extreme
        else:
            del changed[piece]
    return bytes(changed)


def values(data: bytes, draw: random.Random) -> bytes:
    """Return a text of TOML or JSON with values of other types and sizes, or lines swapped."""
    for _ in range(draw.randint(1, 3)):
        tokens = list(TOKEN.finditer(data))
        lines = data.split(b"\n")
        if draw.random() < 0.2 and len(lines) > 2:
            first, second = draw.sample(range(len(lines)), 2)
            lines[first], lines[second] = lines[second], lines[first]
            data = b"\n".join(lines)
        elif tokens:
            token = draw.choice(tokens)
            other = draw.choice((draw.choice(VALUES).encode(), draw.choice(tokens)[0]))
            data = data[: token.start()] + other + data[token.end() :]
    return data


def members(inner: Mutation) -> Mutation:
    """Return the change of one member of a zip or npz file, packed anew with true sums."""

    def change(data: bytes, draw: random.Random) -> bytes:
        if not data.startswith(b"PK"):
            return blind(data, draw)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = [(info.filename, archive.read(info)) for info in archive.infolist()]
        index = draw.randrange(len(content))
        other = draw.randrange(len(content))
        name, member = content[index]
        kind = draw.randrange(5)
        if kind == 0:
            content[index], content[other] = (
                (name, content[other][1]),
                (content[other][0], member),
            )
        elif kind == 1:
            content.append((name, content[other][1]))
        elif kind == 2:
            del content[index]
        else:
            content[index] = (name, inner(member, draw))
        method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, member in content:
                archive.writestr(name, member)
        return stream.getvalue()

    return change


def array(data: bytes, draw: random.Random) -> bytes:
    """Return an npy file whose header says something else, or whose values are changed."""
    end = data.find(b"\n", 10) + 1
    if draw.random() < 0.3 or not data.startswith(b"\x93NUMPY") or not end:
        return blind(data, draw)
    text = draw.choice(
        (
            values(data[10:end].rstrip(), draw),
            re.sub(rb"\((\d+)", lambda m: b"(" + draw.choice(VALUES).encode(), data[10:end]),
            re.sub(
                rb"'[|<>]..?'", draw.choice((b"'|O'", b"'<U99'", b"'>u2'", b"'<f8'")), data[10:end]
            ),
            blind(data[10:end], draw),
        )
    )[:60_000]
    text = text.rstrip() + b"\n"
    return data[:8] + len(text).to_bytes(2, "little") + text + data[end:]


def packed(data: bytes, draw: random.Random) -> bytes:
    """Return a gzip file whose content is changed; or one cut, as of any kind."""
    if draw.random() < 0.3:
        return blind(data, draw)
    return gzip.compress(blind(gzip.decompress(data), draw), 1)


def header(data: bytes, draw: random.Random) -> bytes:
    """Return a safetensors file whose header says something else; its length is right."""
    if draw.random() < 0.2:
        return blind(data, draw)
    length = int.from_bytes(data[:8], "little")
    text = draw.choice((values, blind))(data[8 : 8 + length], draw)
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def chunks(data: bytes, draw: random.Random) -> bytes:
    """Return a PNG with one chunk changed, doubled or left out, its sum right."""
    parts, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        parts.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    index = draw.randrange(len(parts))
    kind, content = parts[index]
    way = draw.randrange(4)
    if way == 0:
        parts.insert(draw.randrange(len(parts) + 1), (kind, content))
    elif way == 1:
        del parts[index]
    else:
        parts[index] = (kind, blind(content, draw) if content else draw.randbytes(4))
    whole = [(kind + content, len(content).to_bytes(4, "big")) for kind, content in parts]
    return data[:8] + b"".join(size + w + zlib.crc32(w).to_bytes(4, "big") for w, size in whole)
