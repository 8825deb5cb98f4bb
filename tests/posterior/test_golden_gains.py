"""Recorded information gains of the authors' code."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from inpaint_cli.posterior import gains
from tests.golden_files import golden

pytestmark = [pytest.mark.golden, pytest.mark.ipa]
RECORDED = load_file(golden("ipa") / "eig.safetensors")


@pytest.mark.parametrize("case", ["binary", "cat15"])
def test_all_of_it_is_as_recorded(case: str) -> None:
    def recorded(name: str) -> gains.Gains:
        return np.asarray(RECORDED[f"{case}.{name}"])

    p, now = recorded("g"), recorded("g_prior")
    ours = {
        "eig": gains.expected_gain(p),
        "epe_eig": gains.expected_entropy_drop(p, now),
        "ig": gains.gains_of_each(p, now, "eig"),
        "entropy_of_mean": gains.entropy(p.mean(axis=0)),
        "expected_posterior_entropy": gains.entropy(p).mean(axis=0),
    }
    for name, value in ours.items():
        np.testing.assert_allclose(value, recorded(name), rtol=0, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(
        recorded("argmax"), [ours["eig"].argmax(), ours["epe_eig"].argmax()]
    )
