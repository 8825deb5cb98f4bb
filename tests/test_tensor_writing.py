"""Tensors are written as the library of the format writes them, but for the order of the header."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inpaint_cli.tensors import DTYPES, write_tensors

TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a": torch.tensor([True, False, True]),
    "none": torch.zeros(0, 3),
    "ä": torch.tensor(3, dtype=torch.int64),
    "half": torch.ones(3, dtype=torch.bfloat16),
}


def test_the_bytes_are_those_of_the_library(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "theirs", metadata={"one": "x"})
    write_tensors(tmp_path / "ours", TENSORS, {"one": "x"})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_header_strings_are_in_order_whatever_order_they_are_given_in(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", TENSORS, {"one": "x", "two": "y"})
    write_tensors(tmp_path / "b", dict(reversed(TENSORS.items())), {"two": "y", "one": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", framework="pt") as file:
        assert file.metadata() == {"one": "x", "two": "y"}


@pytest.mark.parametrize("line", DTYPES)
def test_every_type_is_read_back(line: str, tmp_path: Path) -> None:
    dtype = getattr(torch, line.split()[0])
    tensor = torch.tensor([0, 1, 1]).to(dtype)
    write_tensors(tmp_path / "a", {"x": tensor, "y": torch.ones(2, 2).t()}, {})
    read = load_file(tmp_path / "a")
    assert read["x"].dtype == dtype
    assert read["x"].tolist() == tensor.tolist()
