"""The table of all families: every row, every range, a reason for each gap, and costs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from inpaint_cli.metrics.protocol import BINS, bin_name
from inpaint_cli.reporting import Reporter

NAMES = ("first", "second")
TABLED = ("lpips-gt", "lpips-diversity", "psnr", "crps", "energy", "coverage", "nll")
RANGES = [bin_name(ends) for ends in BINS]


def entry(metric: str, label: str, value: float, **more: Any) -> dict[str, Any]:
    few: dict[str, Any] = {"n_images": 3, "ci95": None, "bias": None, "warnings": []}
    groups: dict[str, Any] = {
        name: {**few, "value": value + place, "se": 0.25, "refused": None}
        for place, name in enumerate(RANGES)
    }
    groups["80-100"] = {**few, "value": None, "se": None, "refused": "no image there"}
    plain: dict[str, Any] = {
        "bias": None,
        "n_images": 15,
        "se": 0.5,
        "se_method": "image se",
        "ci95": [0.0, 9.0],
        "better": "lower",
    }
    return {
        **plain,
        "name": metric,
        "value": value,
        "params": {"label": label},
        "warnings": [],
        "groups": groups,
        **more,
    }


def document(name: str, metrics: list[dict[str, Any]], **refused: str) -> dict[str, Any]:
    dataset = {"name": "toys", "split": "test", "n_images": 15, "height": 16, "width": 16}
    return {
        "model": {"name": name},
        "protocol": {
            "dataset": {**dataset, "levels": 256},
            "masks": {"distribution": "freeform@mixture", "seed": 0},
            "completions": {"k": 4, "composited": True},
            "pairing": {"by": "id"},
        },
        "metrics": metrics,
        "refused": [{"name": key.replace("_", "-"), "reason": why} for key, why in refused.items()],
    }


def report() -> dict[str, Any]:
    """Return a report of two models as it might be, without a model or a picture."""
    both = ["few images"]
    crps = [entry("crps", "crps", 1.0, warnings=both), entry("crps", "crps ordinary", 7.0)]
    fid = entry("fid", "fid@x", 3.0, se_method="jackknife-20", ci95=None, bias=1.25)
    kid = entry("kid", "kid@x", 0.5, se=None, se_method=None, ci95=[0.25, 0.75])
    first = document(NAMES[0], [fid, *crps], p_ids="no way", nll="not at this size")
    first["own_size"] = document(NAMES[0], [entry("nll", "nll", 99.0), entry("nll", "a value", 2)])
    second = document(NAMES[1], [kid, entry("crps", "crps", 2.0, warnings=[*both, "own"])])
    second["refused"] = [{"name": "p-ids@x", "reason": "no way"}]
    costs = [
        {
            "model": name,
            "n": 8,
            "threads": 1,
            "repeats": 5,
            "machine": "one",
            "torch": "2",
            "seconds_per_completion": 0.5,
            "processor_seconds_per_completion": 0.25,
            "peak_bytes": 3 * 2**20,
            "above_bytes": 2**20,
        }
        for name in NAMES
    ]
    return {"scores": [first, second], "costs": costs}


@pytest.fixture(scope="module")
def sections() -> dict[str, list[str]]:
    """Return the lines of each section of the made-up report's text."""
    parts = re.split(r"^## (.*)\n", results.text_of(report()), flags=re.MULTILINE)
    return {name: text.splitlines() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def row(lines: list[str], start: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"| {start}")]
    return line.strip("| ").split(" | ")


def test_there_is_a_table_of_everything_and_one_a_metric(sections: dict[str, list[str]]) -> None:
    assert list(sections) == ["All ranges", *results.WANTED]
    rows = [line for line in sections["All ranges"] if line.startswith("| ")]
    assert len(rows) == 2 + len(results.WANTED) + len(results.COSTS)
    for lines in sections.values():
        assert len({line.count("|") for line in lines if line.startswith("| ")}) <= 1


def test_a_figure_has_its_error_or_its_interval(sections: dict[str, list[str]]) -> None:
    lines = sections["All ranges"]
    assert row(lines, "fid@x")[1] == "3.00 ± 0.50 (bias 1.25)"
    assert row(lines, "kid@x")[2] == "500.000 [250.000, 750.000]"
    assert any("standard error: jackknife-20" in line for line in lines)


def test_a_gap_is_a_dash_with_its_reason_below(sections: dict[str, list[str]]) -> None:
    lines = sections["All ranges"]
    one, two = row(lines, "p-ids")[1:]
    assert one == two
    number = str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(one.removeprefix("-")))
    assert f"{number}. no way" in lines


def test_what_holds_for_all_is_said_at_the_metric_and_the_rest_at_the_figure(
    sections: dict[str, list[str]],
) -> None:
    head, first, second = row(sections["All ranges"], "crps")
    assert re.fullmatch(r"crps ↓[⁰-⁹¹²³]+", head)
    assert first == "1.0000 ± 0.5000"
    assert re.fullmatch(r"2\.0000 ± 0\.5000[⁰-⁹¹²³]+", second)


def test_ranges_are_columns_and_models_are_rows(sections: dict[str, list[str]]) -> None:
    lines = sections["crps"]
    assert row(lines, "crps")[1:] == [*(f"{name} % visible, n = 3" for name in RANGES), "all"]
    cells = row(lines, "first")
    assert cells[1:5] == [f"{value}.0000 ± 0.2500" for value in (1, 2, 3, 4)]
    assert cells[5].startswith("-")
    assert any(line.endswith("no image there") for line in lines)


def test_a_likelihood_at_the_own_size_is_told_apart(sections: dict[str, list[str]]) -> None:
    lines = sections["All ranges"]
    assert row(lines, "a value [nats]")[1].startswith("2.000 ± 0.500")
    assert any("at the model's own 16x16 pixels and 256 levels" in line for line in lines)


def test_costs_are_rows(sections: dict[str, list[str]]) -> None:
    lines = sections["All ranges"]
    assert row(lines, "seconds per completion")[1:] == ["0.5", "0.5"]
    assert row(lines, "memory at most")[1:] == ["3", "3"]


def test_models_without_a_figure_do_not_break_a_table(sections: dict[str, list[str]]) -> None:
    assert [line for line in sections["ssim"] if line] == ["not computed"]


def test_a_model_of_another_size_has_its_likelihood_at_its_own(tmp_path: Path) -> None:
    options = {"data": ("digits",), "limit": 1, "k": 1, "seed": 0, "features": "classifier-mnist"}
    quiet = Reporter(quiet=True)
    (scored,) = results.scores(["pcnn-digits"], 16, quiet, work=str(tmp_path), **options)
    assert results.refusal_of(scored, "nll")
    nll = results.entry_of(scored, "nll")
    assert nll is not None
    assert nll["warnings"][0] == "at the model's own 8x8 pixels and 16 levels"


def test_two_models_are_scored_timed_and_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("telea", "pcnn-digits")
    arguments = [part for name in names for part in ("--model", name)]
    arguments += ["--data", "digits", "--size", "8", "--limit", "4", "-k", "2", "--repeats", "1"]
    results.main([*arguments, "--features", "classifier-mnist", "--out", str(tmp_path)])
    assert capfd.readouterr().out == f"{tmp_path / 'results.md'}\n"
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["All ranges", *results.WANTED]
    for name in names:
        assert len(re.findall(rf"^\| {name} \|", text, re.MULTILINE)) == len(TABLED)
    assert len(re.findall(r"^\| .*0-20 % visible", text, re.MULTILINE)) == len(TABLED)
    # Four images have no distance of distributions: a reason stands for the table.
    assert "4 images for 64 features (n <= d)" in text
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [score["model"]["name"] for score in written["scores"]] == list(names)
    assert [(cost["model"], cost["n"]) for cost in written["costs"]] == [
        (names[0], 1),
        (names[1], 8),
    ]
    for cost in written["costs"]:
        assert cost["seconds_per_completion"] > 0
        assert cost["peak_bytes"] > cost["above_bytes"] > 0
