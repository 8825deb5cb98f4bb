"""The fake families and data, in place of real ones."""

import pytest

from inpaint_cli import data, models
from tests.training import fake_data


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.FAMILIES, "fake", "tests.training.fake_family")
    monkeypatch.setitem(models.FAMILIES, "fake-two", "tests.training.fake_family")
    monkeypatch.setitem(models.FAMILIES, "fake-three", "tests.training.fake_family")
    monkeypatch.setattr(data, "load_images", fake_data.open_fake)
