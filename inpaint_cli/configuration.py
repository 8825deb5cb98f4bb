"""Frozen dataclasses from and to plain data: TOML files, `name=value`, weight headers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from inpaint_cli.errors import UserError, unknown_name
from inpaint_cli.family import Config, Training
from inpaint_cli.parsing import brief, read_text, toml_of

D = TypeVar("D")
MOST_BITS = 4096
"""Of a whole number: Python does not even print one of far more, as TOML's 0xFFF... may be."""


def to_dict(config: object) -> dict[str, Any]:
    """Return a config dataclass as JSON-able data; `from_dict` is its inverse."""
    data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))  # type: ignore[call-overload]
    return data


def from_dict(cls: type[D], data: Mapping[str, Any], where: str = "config") -> D:
    """Build `cls` from plain data. UserError for unknown names and unusable values."""
    _check_table(data, where)
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for name, value in data.items():
        if name not in fields:
            raise unknown_name(f"{where}: no setting", name, fields)
        if name == "training":
            _check_table(value, f"{where}.training")
            values[name] = {
                stage: from_dict(Training, v, f"{where}.training.{stage}")
                for stage, v in value.items()
            }
        else:
            values[name] = _convert(hints[name], value, f"{where}: {name}")
    for name, entry in fields.items():
        missing = entry.default is entry.default_factory is dataclasses.MISSING
        if missing and name not in values:
            raise UserError(f"{where}: {name} is missing.")
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def override(config: Config, settings_by_stage: Mapping[str, Mapping[str, Any]]) -> Config:
    """Return `config` with settings replaced, all at once: what counts is how they fit together.

    settings_by_stage: stage -> name -> value; a name of `Training` goes to that stage. Values may
    be strings, as typed; they are read by the field's type. UserError about `set`.
    """
    try:
        return _overridden(config, settings_by_stage)
    except UserError as error:
        raise UserError(str(error), setting="set") from error


def _overridden(config: Config, settings_by_stage: Mapping[str, Mapping[str, Any]]) -> Config:
    fields = {f.name for f in dataclasses.fields(config)} - {"training"}
    training = {f.name for f in dataclasses.fields(Training)}
    changes: dict[str, Any] = {}
    stages = dict(config.training)
    for stage, settings in settings_by_stage.items():
        stage_changes: dict[str, Any] = {}
        for name, value in settings.items():
            if name in fields:
                changes[name] = _convert(get_type_hints(type(config))[name], value, name)
            elif name in training:
                stage_changes[name] = _convert(get_type_hints(Training)[name], value, name)
            else:
                raise unknown_name("no setting", name, fields | training)
        if stage_changes:
            stages[stage] = dataclasses.replace(stages.get(stage, Training()), **stage_changes)
            changes["training"] = stages
    return dataclasses.replace(config, **changes) if changes else config


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """Read pairs "name=value", as typed.

    >>> parse_settings(("filters=64", "masks=freeform@0-20"))
    {'filters': '64', 'masks': 'freeform@0-20'}
    """
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UserError(f"expected NAME=VALUE, got '{brief(pair)}'.", setting="set")
        settings[name.strip().replace("-", "_")] = value.strip()
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; UserError says where it is not TOML."""
    return toml_of(read_text(path), path)


def to_toml(data: Mapping[str, Any], prefix: str = "") -> str:
    """Write nested plain data as TOML, tables last; None, which TOML lacks, as "none".

    >>> print(to_toml({"a": 1, "t": {"b": "x", "c": [1.5, True]}}), end="")
    a = 1
    <BLANKLINE>
    [t]
    b = "x"
    c = [1.5, true]
    """
    tables = {k: v for k, v in data.items() if isinstance(v, Mapping)}
    lines = [f"{_toml_key(k)} = {_toml_value(v)}\n" for k, v in data.items() if k not in tables]
    text = "".join(lines)
    for name, table in tables.items():
        inner = to_toml(table, f"{prefix}{_toml_key(name)}.")
        has_values = any(not isinstance(v, Mapping) for v in table.values()) or not table
        text += (f"\n[{prefix}{_toml_key(name)}]\n" if has_values else "") + inner
    return text


def _toml_key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml_value(name)


def _toml_value(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # DEL is the one character that JSON leaves as it is and TOML forbids.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check_table(data: object, where: str) -> None:
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: must be a table of settings, got '{brief(data)}'.")


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return `value` as the type `hint`; strings are parsed, so that "3" fits an int field."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        named = {str(choice): choice for choice in args}
        if brief(value) not in named:
            raise UserError(f"{where}: must be one of {', '.join(named)}, got '{brief(value)}'.")
        return named[brief(value)]
    if origin is tuple:
        return _convert_tuple(args, value, where)
    if origin is dict:
        _check_table(value, where)
        return {
            str(name): _convert(args[1], part, f"{where}.{name}") for name, part in value.items()
        }
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_dict(hint, value, where)
    if origin in (Union, types.UnionType):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        return _convert(next(a for a in args if a is not type(None)), value, where)
    return _convert_scalar(hint, value, where)


def _convert_tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: must be a list, got '{brief(value)}'.")
    kinds = [hints[0]] * len(value) if hints[1:] == (...,) else list(hints)
    if len(kinds) != len(value):
        raise UserError(f"{where}: takes {len(kinds)} values, got {len(value)}.")
    return tuple(_convert(kind, part, where) for kind, part in zip(kinds, value, strict=True))


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is bool and isinstance(value, str):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if value.lower() not in words:
            raise UserError(f"{where}: must be true or false, got '{brief(value)}'.")
        return words[value.lower()]
    if hint in (int, float):
        return _convert_number(hint, value, where)
    if isinstance(hint, type) and not isinstance(value, hint):
        raise UserError(f"{where}: must be {hint.__name__}, got '{brief(value)}'.")
    return value


def _convert_number(hint: type[int] | type[float], value: Any, where: str) -> int | float:
    """Read a number: "1e3" is a whole one too, true, inf and nan are none."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = _number(value)
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError
        converted = hint(number)
        if hint is int and (converted != number or int(converted).bit_length() > MOST_BITS):
            raise ValueError
    except (ValueError, OverflowError):
        kind = "a whole number" if hint is int else "a number"
        raise UserError(f"{where}: must be {kind}, got '{brief(value)}'.") from None
    return converted


def _number(value: int | float | str) -> int | float:
    """Return a number, whole ones not by way of float, which has 53 bits."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return int(value)
    return value if isinstance(value, int) else float(value)
