import numpy as np
import pytest

from inpaint_cli.metrics.likelihood import Likelihood, bits_per_dim, hidden_nats, importance_bound
from tests.metrics import recorded_images as recorded
from tests.metrics.recorded_metrics import expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]


def test_recorded_logits_have_the_recorded_likelihood() -> None:
    stored, wanted = recorded.tensors("nll"), expected("nll")
    visible = stored["mask_observed"][:, None] == 1
    nats = hidden_nats(stored["logits"], stored["values"], visible)
    np.testing.assert_allclose(nats, wanted["nll_nats"], rtol=1e-9)
    for image, hidden in enumerate(wanted["hidden_dims"]):
        bits = bits_per_dim(float(nats[image]), hidden)
        assert bits == pytest.approx(wanted["bits_per_hidden_dim"][image], rel=1e-9)
    all_images = Likelihood(nats.tolist(), wanted["hidden_dims"])
    pooled, mean = all_images.bits_pooled(), all_images.bits_mean()
    assert pooled.value == pytest.approx(wanted["mean_bits_per_hidden_dim_pooled"], rel=1e-9)
    assert mean.value == pytest.approx(wanted["mean_bits_per_hidden_dim_image_mean"], rel=1e-9)


def test_recorded_weights_have_the_recorded_bound() -> None:
    stored = recorded.tensors("nll")["log_weights"]
    wanted = expected("nll")["importance"]
    np.testing.assert_allclose(importance_bound(stored), wanted["iw_bound"], rtol=1e-9)
    np.testing.assert_allclose(stored.mean(1), wanted["elbo"], rtol=1e-9)
