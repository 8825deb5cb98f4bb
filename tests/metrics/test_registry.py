"""The registry of metrics: complete, light to load, and open to new ones."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inpaint_cli import metrics
from inpaint_cli.commands.score_printing import listing
from inpaint_cli.errors import UserError
from inpaint_cli.metrics.metric import ARROWS, Metric
from inpaint_cli.metrics.tables import text_of
from tests.metrics.score_kit import check_schema, report, target


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = metrics.get(name)
    assert isinstance(metric, Metric)
    assert metric.name == name
    assert metric.better in ARROWS
    assert 10 < len(metric.summary) < 80
    assert type(metric).lines is not Metric.lines


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^metrics: no metric called 'fidd'. Did you mean 'fid'"):
        metrics.parse("fidd")


def test_the_list_of_metrics_loads_no_torch(top: Path) -> None:
    program = (
        "import sys; from inpaint_cli.commands.score_printing import listing; listing();"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=top, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_a_new_metric_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metrics.METRICS, "brightness", "tests.metrics.toy_metric")
    assert "mean level of the completions" in listing()[-1]
    document = report(metrics.parse("mae,brightness"), target(count=4), by_visible=True)
    check_schema(document)
    (entry,) = [one for one in document["metrics"] if one["name"] == "brightness"]
    one = target(count=4)
    levels = [one.case(index).completions.double().mean() / 255 for index in range(4)]
    assert entry["value"] == pytest.approx(float(np.mean(levels)))
    assert entry["se"] == pytest.approx(np.std(levels, ddof=1) / 2)
    assert any(line.startswith("brightness ") for line in text_of([document]).splitlines())
    (refusal,) = report(("mae", "brightness"), target(k=1))["refused"]
    assert refusal["name"] == "brightness"
