"""log.jsonl, one JSON object a line, and TensorBoard beside it if asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inpaint_cli.errors import ResourceError, UserError
from inpaint_cli.files import write_text


class Log:
    """Appends lines; each is flushed, so that a killed run has lost none but the last."""

    def __init__(self, path: Path, tensorboard: bool = False) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._path = path
        self._board = _board(path.parent / "tensorboard") if tensorboard else None

    def write(self, kind: str, stage: str, step: int, values: Mapping[str, Any]) -> None:
        """Writes one line; numbers also go to TensorBoard."""
        line = {"kind": kind, "stage": stage, "step": step, **_finite(values)}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise ResourceError(f"{self._path}: cannot be written ({error.strerror}).") from error
        if self._board is not None:
            for name, value in _flat(values):
                self._board.add_scalar(f"{stage}/{name}", value, step)

    def close(self) -> None:
        """Closes the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def cut(path: Path, stage: str, step: int) -> None:
    """Removes what a killed run logged after `step` of `stage`, and a half-written line."""
    if not path.is_file():
        return
    kept = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break
        if line.get("stage") == stage and line.get("step", 0) > step:
            break
        kept.append(text + "\n")
    write_text(path, "".join(kept))


def _finite(value: Any) -> Any:
    """Gives `value` with null for NaN and infinities, which JSON lacks."""
    if isinstance(value, Mapping):
        return {name: _finite(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    pairs: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)):
            pairs.append((prefix + name, float(value)))
    return pairs


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError(
            "--tensorboard: TensorBoard is not installed. Run: pip install 'inpaint[tensorboard]'."
        ) from error
    return SummaryWriter(str(folder))
