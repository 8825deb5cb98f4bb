"""Writes safetensors files in place: the library leaves files `.tmp...` when it is killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

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
