"""Our safetensors files: written in one piece, the same bytes for the same content, with a digest.

safetensors itself has no checksum, so a bit that flips on a disk would go unnoticed, and leaves
files `.tmp...` when it is killed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.files import replacing
from inpaint_cli.parsing import json_of

if TYPE_CHECKING:
    from torch import Tensor

DIGEST = "content_sha256"
"""In the header: the SHA-256 of all the rest, in hex. Older files have none."""
BLANK = "0" * 64
MOST_HEADER_BYTES = 1 << 25
PIECE = 1 << 20


class Damaged(UserError):
    """A file is not what was written."""


def save(path: Path, tensors: dict[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and header strings to `path`, whole or not at all, with their digest."""
    with replacing(path) as temporary:
        write_tensors(temporary, tensors, {**header, DIGEST: BLANK})
        _seal(temporary)


def check(path: Path) -> None:
    """Raise Damaged where the content of `path` is not that of its digest, if it has one."""
    length, table = _header(path)
    expected = table.get("__metadata__", {}).get(DIGEST)
    if expected and expected != _digest(path, length, table):
        raise Damaged(
            f"{path}: damaged: the content has changed since it was written (its SHA-256 differs). "
            "Take a copy that is whole."
        )


def _seal(path: Path) -> None:
    """Put the header strings in order, which safetensors does not, and the digest among them."""
    length, table = _header(path)
    table["__metadata__"] = dict(sorted(table["__metadata__"].items()))
    table["__metadata__"][DIGEST] = _digest(path, length, table)
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) > length:
        raise ResourceError(f"{path}: the header cannot be sealed.")
    with path.open("r+b") as handle:
        handle.seek(8)
        handle.write(text.ljust(length))


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the length of the header, and the header."""
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if length > min(MOST_HEADER_BYTES, path.stat().st_size):
            raise Damaged(f"{path}: damaged: its header is longer than there can be.")
        table = json_of(handle.read(length), path)
    if not isinstance(table, dict) or not isinstance(table.get("__metadata__", {}), dict):
        raise Damaged(f"{path}: damaged: its header is no table.")
    return length, table


def _digest(path: Path, length: int, table: Mapping[str, Any]) -> str:
    strings = {n: text for n, text in table.get("__metadata__", {}).items() if n != DIGEST}
    described = json.dumps({**table, "__metadata__": strings}, sort_keys=True)
    digest = hashlib.sha256(described.encode("utf-8", "surrogatepass"))
    with path.open("rb") as handle:
        handle.seek(8 + length)
        while piece := handle.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


DTYPES = (
    *("uint64 U64", "int64 I64", "float64 F64", "complex64 C64", "float32 F32", "uint32 U32"),
    *("int32 I32", "bfloat16 BF16", "float16 F16", "uint16 U16", "int16 I16"),
    *("float8_e4m3fn F8_E4M3", "float8_e5m2 F8_E5M2", "int8 I8", "uint8 U8", "bool BOOL"),
)
"""Names in torch and in the format, the widest first: in this order all tensors lie aligned."""
ALIGNMENT = 8


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors of the CPU and header strings to `path`; the same content, the same bytes.

    https://github.com/huggingface/safetensors#format: 8 bytes with the length of the JSON header,
    the header, the values of one tensor after the other.
    """
    names = {f"torch.{line.split()[0]}": line.split()[1] for line in DTYPES}
    order = list(names)
    ranked = sorted(tensors, key=lambda name: (order.index(str(tensors[name].dtype)), name))
    table: dict[str, Any] = {"__metadata__": dict(sorted(header.items()))} if header else {}
    end = 0
    for name in ranked:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        table[name] = {
            "dtype": names[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in ranked:
            _write_values(file, tensors[name])


def _write_values(file: Any, tensor: Tensor) -> None:
    import torch

    if tensor.numel():
        flat = tensor.detach().contiguous().reshape(-1)
        file.write(flat.view(torch.uint8).numpy().data)
