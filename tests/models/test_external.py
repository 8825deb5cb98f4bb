"""Any program as a model, run once per completion."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.models.external import ExternalTool, ToolFailure, is_command, seeds_of
from inpaint_cli.randomness import Noise
from tests import programs

IMAGE = np.random.default_rng(0).integers(1, 256, (12, 16, 3), dtype=np.uint8)
VISIBLE = np.ones((12, 16), np.bool_)
VISIBLE[3:6, 4:9] = False


def noise(n: int = 2, seed: int = 0) -> Noise:
    return Noise.of_completions(seed, b"key", range(n))


def test_each_completion_is_a_run_with_a_seed_of_its_own(tmp_path: Path) -> None:
    tool = ExternalTool(programs.command(tmp_path, programs.SEEDED))
    drawn = tool.drawn(IMAGE, VISIBLE, noise())
    expected = [seed % 256 for seed in seeds_of(noise())]
    assert [picture[~VISIBLE].ravel().tolist() for picture in drawn] == [[e] * 45 for e in expected]
    spent = tool.take_spent()
    assert (spent["runs"], spent["changed"]) == (2, 0)
    assert tool.take_spent() == {}


def test_seeds_depend_on_seed_and_index_and_not_on_the_number_of_completions() -> None:
    assert seeds_of(noise(3))[:2] == seeds_of(noise(2))
    assert len({*seeds_of(noise(3)), *seeds_of(noise(3, seed=1))}) == 6


def test_nothing_hidden_reaches_the_program(tmp_path: Path) -> None:
    body = "assert not pixels[hole].any(); pixels[hole] = 7; Image.fromarray(pixels).save(out)"
    tool = ExternalTool(programs.command(tmp_path, body))
    assert (tool.drawn(IMAGE, VISIBLE, noise(1))[0][~VISIBLE] == 7).all()


def test_what_a_program_changes_of_visible_samples_is_measured(tmp_path: Path) -> None:
    body = "pixels[:2] ^= 1; Image.fromarray(pixels).save(out)"
    tool = ExternalTool(programs.command(tmp_path, body))
    tool.drawn(IMAGE, VISIBLE, noise(1))
    assert tool.take_spent()["changed"] == pytest.approx(32 / VISIBLE.sum())


@pytest.mark.skipif(os.name == "nt", reason="no measure of memory there")
def test_memory_is_the_programs_own_and_not_that_of_who_starts_it(tmp_path: Path) -> None:
    keep = bytearray(300_000_000)  # of this process
    keep[::4096] = b"x" * len(keep[::4096])
    tool = ExternalTool(programs.command(tmp_path, programs.SEEDED))
    tool.drawn(IMAGE, VISIBLE, noise(1))
    small = tool.take_spent()["peak_bytes"]
    large = ExternalTool(
        programs.command(tmp_path, "held = b'x' * 200_000_000\n" + programs.SEEDED)
    )
    large.drawn(IMAGE, VISIBLE, noise(1))
    assert 1e6 < small < 150e6
    assert 150e6 < large.take_spent()["peak_bytes"] - small < 250e6


@pytest.mark.parametrize(
    ("saved", "shape"),
    [
        ("Image.fromarray(pixels.astype(np.uint8)).convert('RGBA')", (12, 16, 3)),
        ("Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)", (12, 16, 3)),
        ("Image.fromarray(pixels.mean(2).astype(np.uint8))", (12, 16, 3)),
        ("Image.fromarray(pixels).convert('RGB')", (12, 16, 1)),
    ],
)
def test_depth_alpha_and_colour_of_what_a_program_gives_are_converted(
    saved: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    tool = ExternalTool(programs.command(tmp_path, f"{saved}.save(out)"))
    image = np.full(shape, 90, np.uint8)
    drawn = tool.drawn(image, VISIBLE, noise(1))[0]
    assert drawn.shape == shape
    assert (drawn[VISIBLE] == 90).all()


FAILURES = {
    "sys.exit('no weights here')": "tool.py ended with code 1: no weights here",
    "pass": "ended well, but wrote nothing",
    "Image.fromarray(pixels[:5]).save(out)": "gave 16x5 pixels for 16x12",
    "open(out, 'w').write('x')": "its {out}",
    "Image.fromarray(np.dstack([pixels, pixels[..., 0]])).save(out)": "transparent",
    "os.kill(os.getpid(), 9)": "ended with code -9",
}


@pytest.mark.parametrize("body", FAILURES)
def test_a_program_that_gives_no_completion_fails_in_one_line(body: str, tmp_path: Path) -> None:
    tool = ExternalTool(programs.command(tmp_path, body))
    with pytest.raises(ToolFailure) as caught:
        tool.drawn(IMAGE, VISIBLE, noise(1))
    assert FAILURES[body] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    body = (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    tool = ExternalTool(programs.command(tmp_path, body), timeout=2.0)
    start = time.monotonic()
    with pytest.raises(ToolFailure, match=r"exec_timeout: exec:tool\.py was not done after 2 s"):
        tool.drawn(IMAGE, VISIBLE, noise(1))
    assert time.monotonic() - start < 20
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if (
            Path(f"/proc/{child}/stat").is_file()
            and " Z " in Path(f"/proc/{child}/stat").read_text()
        ):
            return  # ended, and nobody of ours to wait for it
        time.sleep(0.05)
    raise AssertionError("what the program started still runs")


REFUSED = {
    "exec:nothing-of-this-name {image} {mask} {out}": "no program called 'nothing-of-this-name'",
    "exec:echo {image} {mask}": "lacks {out}",
    "exec:": "lacks {image}, {mask}, {out}",
    "exec:echo {image} {mask} {output}": "Did you mean 'out'",
    "exec:echo {image} {mask} {out} | tee": "no shell",
    "exec:echo '{image} {mask} {out}": "No closing quotation",
}


@pytest.mark.parametrize("command", REFUSED)
def test_a_command_that_cannot_be_run_is_refused_before_anything_runs(command: str) -> None:
    with pytest.raises(UserError) as caught:
        ExternalTool(command)
    assert REFUSED[command] in str(caught.value)


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    body = "assert sys.argv[5] == '$HOME;x y'\n" + programs.SEEDED
    places = programs.PLACES + " '$HOME;x y'"
    ExternalTool(programs.command(tmp_path, body, places)).drawn(IMAGE, VISIBLE, noise(1))


def test_a_command_without_a_seed_has_one_completion_and_a_name_may_be_given(
    tmp_path: Path,
) -> None:
    command = programs.command(tmp_path, programs.SEEDED, "{image} {mask} {out} 3")
    tool = ExternalTool(f"my-tool={command}")
    assert (tool.stochastic, tool.label, is_command("telea")) == (False, "my-tool", False)
    assert ExternalTool(command).label == "exec:tool.py"


def test_the_identity_of_a_program_changes_with_its_script(tmp_path: Path) -> None:
    command = programs.command(tmp_path, programs.SEEDED)
    before = ExternalTool(command).digest()
    programs.command(tmp_path, programs.CHANGING)
    assert ExternalTool(command).digest() != before
