"""Configs from and to plain data: round trips, and one clear line for whatever does not fit."""

import math
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inpaint_cli import models
from inpaint_cli.configuration import (
    from_dict,
    override,
    parse_settings,
    read_toml,
    to_dict,
    to_toml,
)
from inpaint_cli.errors import UserError
from inpaint_cli.family import Config, Training


@dataclass(frozen=True)
class Sample(Config):
    width: int = 4
    rate: float = 0.5
    deep: bool = False
    kind: Literal["a", "b"] = "a"
    sides: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] = (0.0, 1.0)
    limit: int | None = None
    label: str = ""
    free: list[int] = field(default_factory=list)


SAMPLE = Sample(8, 1, 2, {"all": Training(batch_size=3)})


def test_every_preset_survives_a_round_trip_through_toml() -> None:
    for name in models.trainable():
        for preset in models.get(name).presets.values():
            assert from_dict(type(preset), tomllib.loads(to_toml(to_dict(preset)))) == preset


@given(
    width=st.integers(),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    sides=st.lists(st.integers()).map(tuple),
    limit=st.none() | st.integers(),
    label=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_config_survives_a_round_trip_through_toml(**values: Any) -> None:
    config = replace(SAMPLE, **values)
    assert from_dict(Sample, tomllib.loads(to_toml(to_dict(config)))) == config


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.recursive(
            st.integers() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text('ab." '), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_plain_data_survives_a_round_trip_through_toml(data: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(data)) == data


def test_numbers_that_are_none_survive_toml() -> None:
    back = tomllib.loads(to_toml({"a": math.inf, "b": -math.inf, "c": math.nan}))
    assert (back["a"], back["b"], math.isnan(back["c"])) == (math.inf, -math.inf, True)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("width", "12", 12),
        ("width", "1e3", 1000),
        ("width", "9007199254740993", 9007199254740993),
        ("rate", "1e-4", 1e-4),
        *(("deep", typed, True) for typed in ("true", "True", "yes", "1")),
        *(("deep", typed, False) for typed in ("false", "no", "NO", "0")),
        ("kind", "b", "b"),
        ("sides", "(3, 4,5)", (3, 4, 5)),
        ("sides", "", ()),
        ("limit", "none", None),
        ("limit", "7", 7),
        ("label", "x=y", "x=y"),
    ],
)
def test_a_typed_value_becomes_what_the_field_holds(name: str, typed: str, value: object) -> None:
    assert getattr(override(SAMPLE, {"all": {name: typed}}), name) == value


def test_training_settings_go_to_their_stage() -> None:
    changed = override(SAMPLE, {"all": {"lr": "0.1", "width": "9"}})
    assert changed == replace(SAMPLE, width=9, training={"all": Training(batch_size=3, lr=0.1)})
    assert override(SAMPLE, {"other": {"lr": "0.1"}}).training.keys() == {"all", "other"}


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("widht", "3", "Did you mean 'width'?"),
        ("width", "3.5", "set: width: must be a whole number, got '3.5'."),
        ("width", "inf", "must be a whole number"),
        ("rate", "nan", "must be a number"),
        ("rate", "fast", "must be a number"),
        ("deep", "maybe", "must be true or false"),
        ("deep", "", "must be true or false"),
        ("deep", "2", "must be true or false"),
        ("kind", "c", "must be one of a, b"),
        ("pair", "1", "takes 2 values, got 1"),
        ("levels", "1", "set: levels: must lie in 2..256, got 1."),
        ("batch_size", "0", "set: batch_size: must lie in 1..1000000, got 0."),
    ],
)
def test_an_unusable_setting_is_refused_with_its_name(name: str, typed: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        override(SAMPLE, {"all": {name: typed}})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "c: must be a table of settings, got '3'."),
        ({"size": 8, "levels": 2}, "c: channels is missing."),
        ({"size": True, "channels": 1, "levels": 2}, "c: size: must be a whole number"),
        ({"size": 8, "channels": 2, "levels": 2}, "c: channels: must be 1 or 3, got 2."),
        ({"size": 8, "channels": 1, "levels": 2, "training": 1}, "c.training: must be a table"),
        ({"size": 8, "channels": 1, "levels": 2, "training": {"x": []}}, "c.training.x: must be"),
        ({"size": 8, "channels": 1, "levels": 2, "sides": 5}, "c: sides: must be a list"),
        ({"size": None, "channels": 1, "levels": 2}, "c: size: must be a whole number"),
        (
            {"size": 10**400, "channels": 1, "levels": 2, "rate": 10**400},
            "c: rate: must be a number",
        ),
    ],
    ids=str,
)
def test_foreign_data_is_refused_with_its_place(data: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(Sample, data, "c")
    assert words in str(caught.value)


@pytest.mark.parametrize("pair", ["lr", "=3", " =3"])
def test_a_setting_without_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(UserError, match="expected NAME=VALUE"):
        parse_settings((pair,))


def test_a_setting_may_be_typed_with_dashes() -> None:
    assert parse_settings(("batch-size=3",)) == {"batch_size": "3"}


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"a = " + b"[" * 100_000])
def test_a_file_that_is_no_toml_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"c\.toml: not a (TOML|text) file"):
        read_toml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml: cannot be read \(No such file"):
        read_toml(tmp_path / "none.toml")
