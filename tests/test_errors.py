"""Unknown names are answered with the nearest one; an interruption is not a failed item."""

import pytest

from inpaint_cli.errors import Interrupted, unknown_name


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
    error = unknown_name("--model: no family", name, ["pcnn", "ipa"], "More in the docs.")
    assert str(error) == f"--model: no family called '{name}'. {advice} More in the docs."


def test_a_handler_of_failed_items_does_not_swallow_an_interruption() -> None:
    assert not issubclass(Interrupted, Exception)
    assert Interrupted("saved", 15).signal_number == 15
