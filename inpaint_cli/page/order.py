"""What the page asks of a round, checked as the command checks it; and as the command's words."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_cli.declarations import Option
from inpaint_cli.errors import UserError
from inpaint_cli.family import Family
from inpaint_cli.photos.arguments import number, whole
from inpaint_cli.photos.request import CONTEXT, CompletionRequest
from inpaint_cli.zoo import DEFAULT

MOST = 64
"""Completions of one round."""
LARGEST_SEED = 2**53 - 1
"""A browser would round larger ones, and draw other completions than those asked for."""
FOLDER = Path("completions")
"""Where `inpaint complete` writes if it is not told otherwise."""


@dataclass(frozen=True)
class RoundOrder:
    """What is asked of a model, as plain data from the page."""

    model: str
    n: int = 8
    seed: int = 0
    temperature: float | None = None
    context: float = CONTEXT
    feather: float | None = None
    detail: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Raises UserError for what no family takes, before a model is loaded.
        CompletionRequest(**self._common())

    @classmethod
    def of(cls, given: Any, known: Sequence[str], options: Callable[[str], Any]) -> RoundOrder:
        """Return the order in a JSON document; UserError where something is odd.

        known: names of models. options: checks those of a model's family.
        """
        if not isinstance(given, dict):
            raise UserError("must be an object.", setting="round")
        odd = set(given) - set(cls.__dataclass_fields__)
        if odd:
            raise UserError(f"unknown: {', '.join(sorted(odd))[:60]}.", setting="round")
        model = given.get("model")
        if not isinstance(model, str) or model not in known:
            raise UserError(f"no model called {repr(model)[:60]}.", setting="model")
        chosen = given.get("options", {})
        if not isinstance(chosen, dict):
            raise UserError("must be an object.", setting="options")
        context = number(given.get("context"), "context")
        return cls(
            model,
            whole(given.get("n", 1), "n", 1, MOST),
            whole(given.get("seed", 0), "seed", 0, LARGEST_SEED),
            number(given.get("temperature"), "temperature"),
            CONTEXT if context is None else context,
            number(given.get("feather"), "feather"),
            given.get("detail"),
            options(model)(chosen),
        )

    def _common(self) -> dict[str, Any]:
        names = ("n", "seed", "temperature", "context", "feather", "detail")
        return {name: getattr(self, name) for name in names}

    def request(self, family: Family) -> CompletionRequest:
        """Return the request that `inpaint complete` would make of it."""
        return CompletionRequest.of_family(family, self.options, **self._common())

    def command(self, photo: Path, mask: Path, folder: Path, device: str = "auto") -> str:
        """Return the command that writes the same files, quoted for a shell."""
        words = [
            "inpaint",
            "complete",
            _operand(photo),
            "--mask",
            _operand(mask),
            "-n",
            f"{self.n}",
        ]
        if self.seed:
            words += ["--seed", str(self.seed)]
        if self.model != DEFAULT:
            words += ["--model", self.model]
        if self.context != CONTEXT:
            words += ["--context", str(self.context)]
        for name, value in (
            ("temperature", self.temperature),
            ("feather", self.feather),
            ("detail", self.detail),
            *self.options.items(),
        ):
            words += _flag(name, value)
        if device != "auto":
            words += ["--device", device]
        if folder != FOLDER:
            words += ["-o", _operand(folder)]
        return " ".join(map(_quoted, words))


def choice_of(option: Option) -> dict[str, Any]:
    """Return an option of a family as plain data, from which the page builds a control."""
    names = ("name", "parameter", "help", "default", "minimum", "maximum", "choices")
    return {"type": option.type.__name__, **{name: getattr(option, name) for name in names}}


def _flag(name: str, value: Any) -> list[str]:
    if value is None or value is False:
        return []
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is True else [flag, str(value)]


def _quoted(word: str) -> str:
    r"""Return a word for a shell; what is no printable text as the bytes that it is.

    >>> print(_quoted("a b.png"), _quoted(os.fsdecode(b"caf\xe9's.png")))
    'a b.png' $'caf\xe9\x27s.png'
    """
    if word.isprintable():
        return shlex.quote(word)
    escaped = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(word)
    )
    return f"$'{''.join(escaped)}'"


def _operand(path: Path) -> str:
    # What begins with a dash would be taken for an option.
    return f"./{path}" if str(path).startswith("-") else str(path)
