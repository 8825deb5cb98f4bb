"""Any program as a model: `exec:COMMAND {image} {mask} {out} {seed}`, run once per completion."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inpaint_cli.errors import PlainError, ResourceError, UserError, unknown_name
from inpaint_cli.family import Config, Family, Model
from inpaint_cli.files import hash_of
from inpaint_cli.models import measured_run
from inpaint_cli.models.method import Method
from inpaint_cli.pictures.plain import plain_bytes
from inpaint_cli.randomness import stream

if TYPE_CHECKING:
    from inpaint_cli.randomness import Noise

PREFIX = "exec:"
CALLED = re.compile(r"(?:([\w.+-]+)=)?exec:(.*)", re.DOTALL)
"""NAME=exec:COMMAND; the name is for tables, and may be left out."""
NEEDED = ("image", "mask", "out")
PLACES = (*NEEDED, "seed")
OF_A_SHELL = ("|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1")
TIMEOUT = 600.0
"""Seconds that one completion may take, unless something else is asked for."""
SEEDS = 2**31
"""The program's seed lies below this."""
QUOTED = 200
"""Characters of a program's last line that a message repeats."""
CONFIG = Config(size=0, channels=3, levels=256)


class ToolFailure(ResourceError):
    """The program did not give a completion."""


@dataclass(frozen=True)
class Call:
    """What one run of the program took and did."""

    seconds: float
    peak_bytes: float
    """The most memory of the program or one that it started; NaN where the system does not say."""
    changed: float
    """The share of visible samples that it gave back changed; they are put back."""


def is_command(model: str) -> bool:
    """Return whether the name of a model is a command instead.

    >>> is_command("lama=exec:lama {image} {mask} {out}"), is_command("telea")
    (True, False)
    """
    return CALLED.fullmatch(model) is not None


def words_of(command: str) -> list[str]:
    """Return a command as its words, no shell asked; UserError for what cannot be run.

    >>> words_of("echo '{image} {mask}' {out}")[1:]
    ['{image} {mask}', '{out}']
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"{command}: {error}.", setting="model") from error
    text = " ".join(words)
    for name in re.findall(r"\{([A-Za-z_]\w*)\}", text):
        if name not in PLACES:
            raise unknown_name("exec: no place", name, PLACES, setting="model")
    lacking = [f"{{{name}}}" for name in NEEDED if f"{{{name}}}" not in text]
    if not words or lacking:
        raise UserError(
            f"exec: the command lacks {', '.join(lacking)}. Write exec:PROGRAM with {{image}}, "
            "{mask} (white = fill in) and {out} where their PNG files are to stand, and {seed}.",
            setting="model",
        )
    shell = next((word for word in words if word in OF_A_SHELL), None)
    if shell:
        raise UserError(
            f"exec: no shell is started, so '{shell}' means nothing. Put the line into a script.",
            setting="model",
        )
    if shutil.which(words[0]) is None:
        raise UserError(f"no program called '{words[0]}' here.", setting="model")
    return words


class ExternalTool(Method):
    """A program that completes a picture: ours are the masks, the pasting and the measuring."""

    sees_all = True
    has_temperature = False

    def __init__(self, command: str, timeout: float = TIMEOUT) -> None:
        super().__init__(CONFIG)
        called = CALLED.fullmatch(command)
        if called is None:
            raise UserError(f"{command}: is no exec:COMMAND.", setting="model")
        self.command, self.timeout = called[2], timeout
        self.words = words_of(self.command)
        self.label = called[1] or PREFIX + _script_of(self.words)
        self.stochastic = "{seed}" in " ".join(self.words)
        self._calls: list[Call] = []

    def drawn(
        self,
        image: npt.NDArray[np.uint8],
        visible: npt.NDArray[np.bool_],
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> npt.NDArray[np.uint8]:
        """Complete one image by one run a completion; ToolFailure where a run gives none."""
        if temperature is not None:
            raise UserError("a program has none. Write it into the command.", setting="temperature")
        shown = image * visible[..., None]  # nothing hidden leaves this process
        return np.stack([self._run(shown, visible, seed) for seed in seeds_of(noise)])

    def take_spent(self) -> dict[str, float]:
        """Return what the runs since the last call took: seconds, peak bytes, share changed."""
        calls, self._calls = self._calls, []
        if not calls:
            return {}
        return {
            "runs": float(len(calls)),
            "seconds": float(np.mean([call.seconds for call in calls])),
            "peak_bytes": max(call.peak_bytes for call in calls),
            "changed": float(np.mean([call.changed for call in calls])),
        }

    def digest(self) -> str:
        """Return the SHA-256 of what tells this program from others: words, and files among them.

        It stands where other models have the hash of their weights.
        """
        files = [hash_of(Path(word)) for word in self.words if os.path.isfile(word)]
        return hashlib.sha256(json.dumps([self.words, files]).encode()).hexdigest()

    def _run(
        self, image: npt.NDArray[np.uint8], visible: npt.NDArray[np.bool_], seed: int
    ) -> npt.NDArray[np.uint8]:
        with tempfile.TemporaryDirectory(prefix="inpaint-exec-") as name:
            folder = Path(name)
            paths = {place: folder / f"{place}.png" for place in NEEDED}
            Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(paths["image"])
            Image.fromarray(np.where(visible, 0, 255).astype(np.uint8)).save(paths["mask"])
            values = {**{place: str(path) for place, path in paths.items()}, "seed": str(seed)}
            told = self._measured([filled(word, values) for word in self.words], folder)
            given = self._result(paths["out"], image.shape)
        changed = float((given != image)[visible].mean()) if visible.any() else 0.0
        peak = float(told.get("bytes", "nan"))
        self._calls.append(Call(float(told["seconds"]), peak, changed))
        return given

    def _measured(self, command: Sequence[str], folder: Path) -> dict[str, Any]:
        report, log = folder / "report.json", folder / "log"
        starter = [sys.executable, "-I", "-S", str(measured_run.__file__), str(report), str(log)]
        process = subprocess.Popen([*starter, *command], start_new_session=True)
        try:
            process.wait(self.timeout)
        except subprocess.TimeoutExpired as error:
            raise ToolFailure(
                f"{self.label} was not done after {self.timeout:g} s, and was ended. Allow more.",
                setting="exec_timeout",
            ) from error
        finally:
            _end_group(process)
        last = _last_line(log)
        if not report.is_file():
            raise ToolFailure(f"{self.label} could not be started or was ended{last}")
        told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        if told["code"]:
            raise ToolFailure(f"{self.label} ended with code {told['code']}{last}")
        return told

    def _result(self, out: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Return what the program wrote, in the channels that are wanted."""
        if not out.is_file():
            raise ToolFailure(f"{self.label} ended well, but wrote nothing to {{out}}.")
        try:
            given, _ = plain_bytes(out)
        except PlainError as error:
            reason = error.text.removeprefix(f"{out}: ")
            raise ToolFailure(f"{self.label}: its {{out}}: {reason}") from error
        if given.shape[:2] != shape[:2]:
            raise ToolFailure(
                f"{self.label} gave {given.shape[1]}x{given.shape[0]} pixels for "
                f"{shape[1]}x{shape[0]}. Have a script around it resize them."
            )
        if given.shape[2] == shape[2]:
            return given
        if shape[2] == 3:
            return given.repeat(3, axis=2)
        return np.asarray(Image.fromarray(given).convert("L"))[..., None]


def _script_of(words: Sequence[str]) -> str:
    """Return the name of the program, or of the script that it is to run."""
    files = [word for word in words[1:] if os.path.isfile(word)]
    return Path(files[0] if files else words[0]).name


def filled(word: str, values: Mapping[str, str]) -> str:
    """Return a word with its places filled in, each once.

    >>> filled("--out={out}", {"out": "a.png"})
    '--out=a.png'
    """
    return re.sub(r"\{(image|mask|out|seed)\}", lambda match: values[match[1]], word)


def seeds_of(noise: Noise) -> list[int]:
    """Return a seed for each completion, from seed, picture, mask and index."""
    return [int(stream(noise.seed, noise.tag, *key).random() * SEEDS) for key in noise.keys]


def plain(value: float) -> str:
    """Return a value with three digits that count, and no exponent.

    >>> plain(1234.5), plain(0.00002), plain(100.0)
    ('1230', '0.00002', '100')
    """
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def in_words(spent: Mapping[str, float]) -> str:
    """Return what runs took and did (`ExternalTool.take_spent`), as a remark.

    >>> in_words({"runs": 2, "seconds": 1.5, "peak_bytes": 3e8, "changed": 0.0})
    '2 runs of 1.5 s, at most 300 MB; visible pixels are as they were'
    >>> in_words({"runs": 1, "seconds": 131.0, "peak_bytes": 3e8, "changed": 0.996})
    '1 run of 131 s, at most 300 MB; it changed 99.6 % of the visible samples, now put back'
    """
    runs = f"{spent['runs']:.0f} run{'s' * (spent['runs'] != 1)}"
    memory = (
        "" if np.isnan(spent["peak_bytes"]) else f", at most {spent['peak_bytes'] / 1e6:.0f} MB"
    )
    changed = "visible pixels are as they were"
    if spent["changed"]:
        share = plain(100 * spent["changed"])
        changed = f"it changed {share} % of the visible samples, now put back"
    return f"{runs} of {plain(spent['seconds'])} s{memory}; {changed}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of a program and of all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _last_line(log: Path) -> str:
    """Return the last line that a program said, to be put after a message."""
    if not log.is_file():
        return "."
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    spoken = [line.strip() for line in lines if line.strip()]
    return f": {spoken[-1][:QUOTED]}" if spoken else "."


class ExternalFamily(Family):
    """What the commands ask of a family, for a program."""

    name = "exec"
    summary = "a program of yours, run once per completion"
    presets: Mapping[str, Config] = {"default": CONFIG}

    def __init__(self, tool: ExternalTool) -> None:
        self.tool, self.stochastic = tool, tool.stochastic

    def build(self, config: Config) -> Model:
        """Return the program as a model."""
        return self.tool
