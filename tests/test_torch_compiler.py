"""torch without its compiler, for as long as nobody needs it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, torch
from inpaint_cli import torch_compiler

with torch_compiler.left_out():
    layer = torch.nn.Linear(2, 2)
    optimiser = torch.optim.SGD(layer.parameters(), 0.1)
    layer(torch.ones(1, 2)).sum().backward()
    assert torch.arange(3, device="meta").shape == (3,)
    assert "torch._dynamo.utils" not in sys.modules
    LATER
assert type(sys.modules.get("torch._dynamo")).__name__ != "_StandIn"
import torch._dynamo
assert torch._dynamo.config.disable is False
doubled = torch.compile(lambda x: 2 * x, backend="eager")
assert doubled(torch.ones(2)).tolist() == [2, 2]
"""


def run(later: str, top: Path) -> None:
    program = PROGRAM.replace("LATER", later)
    subprocess.run([sys.executable, "-c", program], cwd=top, check=True)


def test_the_compiler_is_there_again_afterwards(top: Path) -> None:
    run("pass", top)


def test_the_compiler_comes_where_it_is_asked_for(top: Path) -> None:
    run("import torch._dynamo.config; assert torch._dynamo.config.disable is False", top)
