"""Unknown names are answered with the nearest one; an interruption is not a failed item."""

import pickle

import pytest

from inpaint_cli.errors import Interrupted, ResourceError, UserError, unknown_name


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("PCNN", "Did you mean 'pcnn'?"),
        ("pcn", "Did you mean 'pcnn'?"),
        ("zzz", "Known: ipa, pcnn."),
        ("", "Known: ipa, pcnn."),
    ],
)
def test_an_unknown_name_gets_the_nearest_or_all(name: str, advice: str) -> None:
    error = unknown_name("no family", name, ["pcnn", "ipa"], "More in the docs.")
    assert str(error) == f"no family called '{name}'. {advice} More in the docs."


def test_a_handler_of_failed_items_does_not_swallow_an_interruption() -> None:
    assert not issubclass(Interrupted, Exception)
    assert Interrupted("saved", 15).signal_number == 15


def test_a_place_is_put_in_front_once_and_can_be_left_out() -> None:
    error = UserError("holds no pixel.", setting="box", where="m.png").within("a.png")
    assert str(error) == "a.png: m.png: box: holds no pixel."
    assert str(error.within("a.png")) == str(error)
    assert error.on_command_line(beside="a.png") == "m.png: --box: holds no pixel."
    assert str(UserError("a.png: no hole.").within("a.png")) == "a.png: no hole."


def test_another_place_leaves_the_error_itself_as_it_is() -> None:
    error = ResourceError("out of memory.")
    placed = error.within("a.png")
    assert (str(error), str(placed)) == ("out of memory.", "a.png: out of memory.")
    assert isinstance(placed, ResourceError)


@pytest.mark.parametrize(("setting", "flag"), [("n", "-n"), ("top_k", "--top-k")])
def test_the_command_line_spells_a_setting_as_its_flag(setting: str, flag: str) -> None:
    assert UserError("no.", setting=setting).on_command_line() == f"{flag}: no."


def test_the_command_line_spells_the_settings_of_an_advice_as_flags() -> None:
    error = UserError("exists. Replace it with the setting overwrite.", where="a.png")
    assert str(error) == "a.png: exists. Replace it with the setting overwrite."
    assert error.on_command_line() == "a.png: exists. Replace it with --overwrite."
    assert UserError("the setting mask_alpha, or not.").on_command_line() == "--mask-alpha, or not."


def test_an_error_survives_its_way_between_processes() -> None:
    error = UserError("holds no pixel.", setting="box", where="m.png")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.on_command_line()) == (str(error), error.on_command_line())


def test_the_advice_on_an_unknown_name_stands_apart() -> None:
    assert unknown_name("no family", "pcn", ["pcnn"]).advice == "Did you mean 'pcnn'?"
