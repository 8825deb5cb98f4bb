"""The errors of a table of looks: within ranges where starts are a mixture, and how many marks."""

import numpy as np
import pytest

from inpaint_cli.posterior import design_printing, design_table


def test_the_error_of_starts_in_ranges_is_that_within_ranges() -> None:
    """What differs between ranges of the visible share, each a fifth, is no sampling error."""
    rng, ranges, errors, values = np.random.default_rng(0), np.arange(50) % 5, [], []
    for _ in range(300):
        nats = ranges + rng.normal(size=50)
        value, se = design_table.Figure("nll", "lower", nats, ranges).estimate()
        values.append(value)
        errors.append(se or 0.0)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
    plain = design_table.Figure("nll", "lower", nats).estimate()[1]
    assert plain is not None
    assert plain > 1.5 * np.mean(errors)
    twice = design_table.Figure("nll", "lower", 2 * nats, ranges)
    told = design_table.difference(twice, design_table.Figure("nll", "lower", nats, ranges))
    assert told["se"] == pytest.approx(errors[-1])


def test_the_legend_says_how_many_comparisons_there_are() -> None:
    entry = {"looks": 1, "difference": {"ci95": [1.0, 2.0]}}
    document = {"schema": design_table.SCHEMA, "figures": [entry, entry, {"difference": None}]}
    assert "Of 2 comparisons" in design_printing._legend(document)
    crossed = {"schema": design_table.CROSSED, "steps": 2, "figures": [entry, entry]}
    assert "comparisons" not in design_printing._legend(crossed)
