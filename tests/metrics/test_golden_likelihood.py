import pytest

from inpaint_cli.metrics.likelihood import NatsOfImages
from tests.metrics.recorded_metrics import expected

pytestmark = [pytest.mark.golden, pytest.mark.metrics]


def test_recorded_nats_have_the_recorded_bits() -> None:
    wanted = expected("nll")
    for nats, hidden, bits in zip(
        wanted["nll_nats"], wanted["hidden_dims"], wanted["bits_per_hidden_dim"], strict=True
    ):
        alone = NatsOfImages([nats], [hidden])
        assert alone.bits_mean().value == pytest.approx(bits, rel=1e-9)
    all_images = NatsOfImages(wanted["nll_nats"], wanted["hidden_dims"])
    pooled, mean = all_images.bits_pooled(), all_images.bits_mean()
    assert pooled.value == pytest.approx(wanted["mean_bits_per_hidden_dim_pooled"], rel=1e-9)
    assert mean.value == pytest.approx(wanted["mean_bits_per_hidden_dim_image_mean"], rel=1e-9)
