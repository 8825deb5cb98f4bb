"""Numbers that no machine can follow: refused in one sentence, before any work."""

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import inpaint_cli
from inpaint_cli import models
from inpaint_cli.cli import COMMANDS, main
from inpaint_cli.commands.options import Number
from inpaint_cli.errors import UserError
from inpaint_cli.family import Training
from inpaint_cli.masks.sets import draw_set
from inpaint_cli.training.batches import MaskSource


def numbers_of(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Every option of a command and those below it that takes a number, with the words before."""
    if isinstance(command, click.Group):
        below = command.list_commands(click.Context(command))
        inner = ((command.get_command(click.Context(command), name), name) for name in below)
        return [row for each, name in inner if each for row in numbers_of(each, (*path, name))]
    kinds = (Number, click.types.IntParamType, click.types.FloatParamType)
    return [(path, param.opts[0]) for param in command.params if isinstance(param.type, kinds)]


NUMBERS = [row for name in COMMANDS for row in numbers_of(main.get_command(None, name), (name,))]  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "flag"), NUMBERS, ids=lambda part: str(part))
@pytest.mark.parametrize("text", ["9" * 30, "9" * 6000], ids=len)
def test_no_option_takes_a_number_without_end(path: tuple[str, ...], flag: str, text: str) -> None:
    argument = ["a.png"] if path[0] in ("complete", "paint") else []
    done = CliRunner().invoke(main, [*path, *argument, flag, text])
    assert done.exit_code == 2
    assert "must be" in done.stderr
    assert flag in done.stderr
    assert len(done.stderr) < 400


def test_options_that_count_are_among_them() -> None:
    flags = {flag for _, flag in NUMBERS}
    assert {"-n", "-k", "--limit", "--workers", "--steps", "--grow", "--port", "--seed"} <= flags


@pytest.mark.parametrize("name", models.FAMILIES)
def test_every_number_among_the_options_of_a_family_has_bounds(name: str) -> None:
    for option in models.get(name).options:
        if option.type in (int, float):
            assert option.minimum is not None, option.name
            assert option.maximum is not None, option.name


def test_a_billion_masks_are_refused_with_what_a_set_holds(tmp_path: Path) -> None:
    for count, text in (("1000000000", "at most 10000000"), ("9000000", "more than the 262144")):
        words = ["masks", "-n", count, "-o", str(tmp_path / "m")]
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 2
        assert text in done.stderr
        assert not (tmp_path / "m").exists()
    with pytest.raises(UserError, match="more than the 65536 of one set"):
        draw_set("box", 512, 512, 65537)
    with pytest.raises(UserError, match="n: must be at most 32768, got 32769"):
        inpaint_cli.draw_masks("box", 32769, 512)


def test_masks_drawn_beforehand_must_fit_on_a_disk() -> None:
    with pytest.raises(UserError, match=r"would take 76 GiB on the disk\. At most 2097152"):
        MaskSource.of(Training(mask_cache=10**7), 0, (256, 256), None)


def test_python_takes_no_billion_completions() -> None:
    model = inpaint_cli.load_model("telea")
    with pytest.raises(UserError, match="n: must be at most 10000, got 1000000000"):
        model.complete(np.zeros((8, 8, 3), np.uint8), n=10**9)
