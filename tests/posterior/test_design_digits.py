"""Whether chosen looks are worth more than random ones, with a classifier that was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import inpaint_cli
from inpaint_cli.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    words = ("train", "--model", "classifier", "--preset", "digits-masked", "--data", "digits")
    result = CliRunner().invoke(main, [*words, "-o", str(runs), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    return runs / "0001-classifier-digits"


def test_chosen_looks_tell_more_than_random_ones(trained: Path) -> None:
    document = inpaint_cli.design_table(
        "digits",
        model="pcnn-digits",
        classifier=trained,
        estimator=("random", "uncond", "eig"),
        steps=3,
        limit=100,
        device="cpu",
    )
    figures = {(e["figure"], e["looks"], e["estimator"]): e for e in document["figures"]}
    for looks in (2, 3):
        for name in ("uncond", "eig"):
            difference = figures["nll", looks, name]["difference"]
            print(looks, name, figures["nll", looks, name]["value"], difference)
            assert difference["ci95"][1] < 0
    # What is seen more of is known better, whichever way it was chosen.
    assert figures["nll", 3, "eig"]["value"] < figures["nll", 1, "eig"]["value"]
    assert figures["nll", "whole", "eig"]["value"] < figures["nll", 3, "eig"]["value"]
