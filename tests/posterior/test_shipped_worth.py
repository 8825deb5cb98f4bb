"""What ships is worth what the pages say: looks, p-values and intervals, on held-out pictures.

All slow. Those that need MNIST are left out where INPAINT_HOME/data has no mnist.npz.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import inpaint_cli
from inpaint_cli import files, zoo

pytestmark = pytest.mark.slow
MNIST = files.home() / "data" / "mnist.npz"
"""Of the person who runs the tests, who have a home of their own once they have begun."""


@pytest.fixture
def mnist() -> str:
    if not MNIST.is_file():
        pytest.skip(f"no {MNIST}")
    return str(MNIST)


def test_chosen_looks_at_digits_are_worth_more_than_random_ones(
    mnist: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = inpaint_cli.design_table(
        mnist,
        model="ipa-mnist",
        classifier="classifier-mnist-masked",
        estimator=("random", "uncond", "eig"),
        limit=200,
        steps=3,
        grid=8,
    )
    nll = {(e["looks"], e["estimator"]): e for e in document["figures"] if e["figure"] == "nll"}
    with capsys.disabled():  # eig beside uncond is told, not asserted
        for (looks, name), entry in nll.items():
            print(f"\n{name} after {looks}: {entry['value']:.3f} ± {entry['se']:.3f}", end="")
    for looks in (2, 3):
        for name in ("uncond", "eig"):
            _, high = nll[looks, name]["difference"]["ci95"]
            assert high < 0, (looks, name)


def test_p_values_of_held_out_digits_are_uniform_and_digits_are_not_told_from_digits(
    mnist: str,
) -> None:
    document = inpaint_cli.compare_ood("ipa-mnist", data=mnist, against=mnist, limit=500)
    for name, told in document["p_values"].items():
        calibration = document["reference"]["held_out"]["masked"]
        # Of pictures and calibration, both finite (Smirnov's two samples at 1 %), and its steps.
        limit = 1.63 * (1 / document["n"] + 1 / calibration) ** 0.5 + 1 / (1 + calibration)
        assert told["distance"] < limit, name
        auroc = document["sets"][0]["auroc"][name]
        assert abs(auroc["value"] - 0.5) < 3 * auroc["se"], name


@pytest.mark.parametrize(("model", "limit"), [("pcnn-digits", None), ("ipa-mnist", 150)])
def test_calibrated_intervals_cover_what_they_promise(
    model: str, limit: int | None, request: pytest.FixtureRequest
) -> None:
    source = "digits" if model == "pcnn-digits" else request.getfixturevalue("mnist")
    (document,) = inpaint_cli.score(
        model,
        data=source,
        limit=limit,
        k=8,
        metrics="coverage",
        calibration=zoo.calibration_of(model),
        by_visible=True,
    )
    (line,) = (e for e in document["metrics"] if e["variant"] == "conformal risk control")
    for part in (line, *line["groups"].values()):
        _check(part, line["params"]["level"])


def _check(part: dict[str, Any], level: float) -> None:
    """Fail where coverage is below the level by more than its error allows."""
    assert part["value"] > level - 3 * part["se"], part
    assert np.isfinite(part["se"])
