"""`inpaint score`: what is printed, in which form, with which exit code."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import inpaint_cli
from inpaint_cli import api, zoo
from inpaint_cli.cli import main
from inpaint_cli.errors import UserError

TELEA = ("--model", "telea", "--size", 16, "--limit", 10, "--features", "classifier-mnist")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def test_a_table_names_who_what_and_how() -> None:
    result = run(*TELEA, "--metrics", "fid,mae", "--allow-biased", "-q")
    assert result.exit_code == 0, result.output
    title, head, *rows = result.stdout.splitlines()
    assert title == (
        "telea · samples test · 10 images of 16x16 · K=10 · masks freeform@mixture seed 0 · "
        "composited"
    )
    assert head.split() == ["metric", "value", "±", "bias", "n", "k", "notes"]
    assert rows[0].split()[:2] == ["fid@classifier-mnist", "↓"]
    assert any("not comparable with published FID" in row for row in rows)


def test_json_is_one_document_and_nothing_else_is_on_stdout() -> None:
    result = run(*TELEA, "--metrics", "mae", "--json")
    document = json.loads(result.stdout)
    assert document["schema"] == "inpaint.score/1"
    assert document["protocol"]["dataset"]["n_images"] == 10
    assert os.fspath(Path.cwd()) not in result.stdout
    if (home := os.path.expanduser("~")) != "~":
        assert home not in result.stdout


def test_several_models_stand_side_by_side_and_in_an_array() -> None:
    both = ("--model", "navier-stokes", *TELEA, "--metrics", "mae")
    documents = json.loads(run(*both, "--json").stdout)
    assert [document["model"]["name"] for document in documents] == ["navier-stokes", "telea"]
    assert documents[1]["metrics"][0]["params"]["paired"]["against"] == "navier-stokes"
    head = run(*both, "-q").stdout.splitlines()[1]
    assert head.split() == ["metric", "navier-stokes", "telea", "notes"]


def test_kinds_of_masks_get_columns_and_reports() -> None:
    kinds = (*TELEA, "--masks", "centre", "--masks", "random", "--metrics", "mae")
    title, head, *_ = run(*kinds, "-q").stdout.splitlines()
    assert title.endswith("masks by column, seed 0 · composited")
    assert head.split() == ["metric", "centre", "random", "notes"]
    documents = json.loads(run(*kinds, "--json").stdout)
    drawn = [document["protocol"]["masks"]["distribution"] for document in documents]
    assert drawn == ["centre", "random"]
    rows = list(csv.DictReader(io.StringIO(run(*kinds, "--csv").stdout)))
    assert {row["masks"] for row in rows} == {"centre", "random"}


def test_fid_agg_needs_several_kinds_and_says_so() -> None:
    one = run(*TELEA, "--metrics", "mae,fid-agg", "--allow-biased")
    assert "refused: fid-agg: needs several kinds of masks, such as patches:n=0-5" in one.stderr
    several = (*TELEA, "--masks", "holes:n=1-2", "--metrics", "fid,fid-agg", "--allow-biased")
    documents = json.loads(run(*several, "--json").stdout)
    labels = [[entry["name"] for entry in document["metrics"]] for document in documents]
    assert labels == [["fid"], ["fid"], ["fid-agg"]]


def test_the_ceiling_of_a_model_stands_beside_its_completions() -> None:
    asked = ("--model", "ipa-mnist", "--limit", 3, "-k", 2, "--metrics", "psnr", "--reconstruct")
    drawn, given = json.loads(run(*asked, "--json").stdout)
    assert given["model"]["name"] == "ipa-mnist (reconstruction)"
    hole = [
        next(e["value"] for e in one["metrics"] if e["params"]["label"] == "psnr-hole")
        for one in (drawn, given)
    ]
    assert hole[1] > hole[0]
    refused = run("--model", "telea", "--metrics", "psnr", "--reconstruct", "--limit", 2)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "error: --reconstruct: telea has no autoencoder" in refused.stderr


def test_ranges_get_columns_and_lines() -> None:
    ranges = (*TELEA, "--metrics", "mae", "--by-visible")
    head = run(*ranges, "-q").stdout.splitlines()[1]
    assert "0-20 %" in head
    assert "80-100 %" in head
    rows = list(csv.DictReader(io.StringIO(run(*ranges, "--csv").stdout)))
    shares = [row["visible"] for row in rows if row["label"] == "mae"]
    assert shares == ["all", "0-20", "20-40", "40-60", "60-80", "80-100"]
    assert all(float(row["value"]) >= 0 for row in rows)


def test_a_mask_set_that_was_changed_is_warned_of_once(tmp_path: Path) -> None:
    from inpaint_cli.masks.sets import draw_set, write_set

    write_set(draw_set("strokes", 16, 16, 4), tmp_path / "m")
    asked = (
        "--model",
        "telea",
        "--model",
        "navier-stokes",
        "--size",
        16,
        "--limit",
        4,
        "--metrics",
        "mae",
        "--masks",
        tmp_path / "m",
    )
    assert "not those of the manifest" not in run(*asked).stderr
    manifest = tmp_path / "m" / "masks.json"
    manifest.write_text(manifest.read_text().replace('"sha256": "', '"sha256": "0'))
    assert run(*asked).stderr.count("not those of the manifest") == 1


def test_markdown_is_a_table() -> None:
    lines = run(*TELEA, "--metrics", "mae", "--markdown", "-q").stdout.splitlines()
    assert lines[2].startswith("| metric |")
    assert lines[3].startswith("| --- |")
    assert lines[4].startswith("| mae | ↓ |")


def test_what_draws_once_is_not_asked_whether_it_uses_the_seed() -> None:
    result = run(*TELEA, "-k", 4, "--metrics", "mae", "--limit", 2)
    assert "is the seed used" not in result.stderr


def test_a_missing_file_is_a_line_with_what_to_do(tmp_path: Path) -> None:
    words = ("--metrics", "mae,fid", "--features", "inception", "--weights-dir", tmp_path)
    result = run("--model", "telea", "--size", 16, "--limit", 2, *words)
    assert result.exit_code == 3
    (line,) = [line for line in result.stderr.splitlines() if "refused: fid" in line]
    assert f"nothing is fetched unasked. Searched: {tmp_path}, " in line
    assert "\\x0a" not in line


@pytest.mark.parametrize("sides", ["0", "0x5", "16385"])
@pytest.mark.parametrize("name", ["--crop", "--resize"])
def test_sides_that_hold_no_picture_are_refused(tmp_path: Path, name: str, sides: str) -> None:
    result = run(tmp_path, "--reference", tmp_path, name, sides)
    assert result.exit_code == 2
    assert f"error: {name}: " in result.stderr
    assert "16384" in result.stderr


def test_a_folder_of_other_masks_is_no_set_of_masks(tmp_path: Path) -> None:
    result = run(*TELEA, "--metrics", "mae", "--masks", tmp_path)
    assert result.exit_code == 2
    assert "holds no masks.json. Draw one with 'inpaint masks', or name a kind." in result.stderr


def test_ranks_of_ranges_stand_apart_from_those_of_all_images() -> None:
    lines = run(*TELEA, "--metrics", "rank-histogram", "--by-visible", "-q").stdout.splitlines()
    (whole,) = [line for line in lines if line.startswith("rank-histogram ")][:1]
    assert whole.split()[-6:-1] == ["-"] * 5
    assert any("compare at equal n only" in line for line in lines)


def test_plots_are_pictures(tmp_path: Path) -> None:
    from PIL import Image

    result = run(*TELEA, "--metrics", "mae,rank-histogram", "--by-visible", "--plots", tmp_path)
    assert result.exit_code == 0, result.output
    names = {path.name for path in tmp_path.iterdir()}
    assert {"mae-hole.png", "mae.png", "rank-histogram-telea.png"} < names
    with Image.open(tmp_path / "mae.png") as image:
        assert image.format == "PNG"


def test_plots_without_matplotlib_are_refused_in_one_line_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(*TELEA, "--metrics", "mae", "--plots", tmp_path / "plots")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install 'inpaint[plots]'" in result.stderr


def test_weights_asked_for_by_name_and_missing_are_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "TORCH_HOME", "XDG_CACHE_HOME", "INPAINT_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    result = run("--model", "telea", "--metrics", "fid", "--features", "inception", "--limit", 4)
    assert result.exit_code == 1
    assert "weights-inception-2015-12-05-6726825d.pth" in result.stderr
    assert str(tmp_path) in result.stderr
    assert "classifier" in result.stderr


def test_some_refused_for_a_missing_file_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "TORCH_HOME", "XDG_CACHE_HOME", "INPAINT_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    missing = ("--model", "telea", "--size", 16, "--limit", 4, "--features", "inception")
    result = run(*missing, "--metrics", "fid,mae", "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["metrics"][0]["name"] == "mae"
    assert document["refused"][0]["name"] == "fid"
    assert str(tmp_path) not in result.stdout
    assert run(*missing, "--metrics", "fid,mae", "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metrics", "fidd"), "Did you mean 'fid'?"),
        (("--metrics", ","), "give names"),
        (("--model", "teela"), "Did you mean 'telea'?"),
        (("--data", "mnits"), "Did you mean 'mnist'?"),
        (("--split", "train"), "test split only"),
        (("--masks", "freefrom"), "Did you mean"),
        (("--reference", "x"), "folders of pictures"),
        (("--model", "telea", "--temperature", 0.5), "no model here has one"),
        (("--json", "--csv"), "one of them"),
        (("nowhere",), "no such folder"),
        ((".", "--model", "telea"), "models or folders"),
        ((".", "--seed", 0), "--seed: belongs to models"),
        ((".", "--split", "test"), "--split: belongs to models"),
        ((".", "--download"), "--download: belongs to models"),
        ((".", "--resize", "x"), "--resize: x: write a side"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]


def test_check_computes_nothing_and_says_why_not() -> None:
    result = run("--model", "telea", "--metrics", "mae,coverage,nll", "-k", 1, "--check")
    assert result.exit_code == 0
    mae, nll, coverage = (line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert mae == ["mae", "ok"]
    assert nll[1].startswith("refused: ")
    assert coverage[1].startswith("refused: ")
    rows = json.loads(run("--model", "telea", "--metrics", "mae", "--check", "--json").stdout)
    assert rows["metrics"][0]["ok"] is True


def test_list_names_every_metric() -> None:
    from inpaint_cli.metrics import METRICS

    assert [line[2:].split()[0] for line in run("--list").stdout.splitlines()] == list(METRICS)


def test_a_common_size_lets_models_of_any_size_take_part() -> None:
    result = run(
        "--model",
        "pcnn-digits",
        "--model",
        "telea",
        "--data",
        "digits",
        "--limit",
        5,
        "-k",
        2,
        "--size",
        16,
        "--metrics",
        "mae",
        "--json",
    )
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert first["model"]["sampler"]["at"].startswith("windows")
    assert second["protocol"]["dataset"]["height"] == 16


def test_unequal_sizes_are_warned_of() -> None:
    result = run(
        "--model",
        "pcnn-digits",
        "--model",
        "pcnn-mnist",
        "--data",
        "digits",
        "--limit",
        2,
        "-k",
        1,
        "--metrics",
        "mae",
        "-q",
    )
    assert "unequal sizes" in result.stderr
    assert "Set size" in result.stderr
    assert result.stdout.count("metric") == 2


def test_python_gives_the_same_report() -> None:
    (ours,) = inpaint_cli.score("telea", metrics="mae", limit=5, size=16)
    theirs = json.loads(
        run("--model", "telea", "--metrics", "mae", "--limit", 5, "--size", 16, "--json").stdout
    )
    assert ours["metrics"] == theirs["metrics"]
    with pytest.raises(UserError, match="Did you mean 'limit'"):
        inpaint_cli.score("telea", limmit=5)


def test_all_means_the_methods_and_the_models_that_ship_of_one_size() -> None:
    names = api.every_model()
    assert names[:3] == ["patches", "telea", "navier-stokes"]
    assert zoo.DEFAULT in names
    assert "pcnn-mnist" in api.every_model(28)
    assert "pcnn-mnist" not in names


@pytest.mark.slow
def test_the_bare_command_works_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TORCH_HOME", "XDG_CACHE_HOME", "INPAINT_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    result = run("--metrics", "kid,lpips-gt")
    assert result.exit_code == 0, result.output
    assert "lpips-gt@10" in result.stdout
    assert "60 images" in result.stdout
    assert "kid@classifier-cifar10" in result.stdout


def test_two_processes_give_what_one_gives(tmp_path: Path, top: Path) -> None:
    from tests.training.fake_runs import torchrun

    words = (
        "score --model telea --size 16 --limit 40 --metrics fid,kid,mae --allow-biased "
        "--features classifier-mnist --json -q --device cpu"
    )
    arguments = ["-m", "inpaint_cli", *words.split(" ")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(top),
        "OMP_NUM_THREADS": "1",
        "INPAINT_HOME": str(tmp_path),
    }
    documents = []
    for processes in (1, 2):
        done = subprocess.run(
            [sys.executable, *(torchrun(processes) if processes > 1 else []), *arguments],
            cwd=top,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        documents.append(json.loads(done.stdout))
    for document in documents:
        del document["created"], document["timing"]
    assert documents[0] == documents[1]


def test_options_of_a_family_are_for_its_models_and_stand_in_the_title() -> None:
    models = ("--model", "picme-photos32", "--model", "telea")
    given = (*models, "--limit", 2, "-k", 2, "--metrics", "mae")
    usual = json.loads(run(*given, "--json").stdout)
    result = run(*given, "--primitive", 0, "--json")
    documents = json.loads(result.stdout)
    assert "primitive 0 is for picme-photos32; the others have no such" in result.stderr
    assert documents[0]["model"]["sampler"]["primitive"] == 0
    assert "primitive" not in documents[1]["model"]["sampler"]
    changed = [a["metrics"] != b["metrics"] for a, b in zip(usual, documents, strict=True)]
    assert changed[0]
    assert documents[1]["metrics"][0]["value"] == usual[1]["metrics"][0]["value"]
    title = run(*given, "--primitive", 0, "-q").stdout.partition(" · ")[0]
    assert title == "picme-photos32 (primitive 0) | telea"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "telea", "--steps", 2), "--steps: an option of latent-codes: no model here"),
        (("--model", "picme-photos32", "--primitive", 99), "--primitive: this model has"),
        (("--model", "latent-codes-photos64", "--annealing", 7), "--annealing: must be at least"),
        ((".", "--reference", ".", "--steps", 2), "--steps: belongs to models"),
    ],
)
def test_options_of_families_that_mean_nothing_are_refused(
    arguments: tuple[object, ...], words: str
) -> None:
    result = run(*arguments, "--limit", 2, "-k", 2, "--metrics", "mae")
    assert result.exit_code == 2
    assert words in result.stderr


def test_options_that_only_tell_are_not_among_those_of_a_score() -> None:
    text = run("--help").stdout
    assert "--steps" in text
    assert not {"--trace", "--by-primitive", "--bound", "--condition"} & set(text.split())
    with pytest.raises(UserError, match="no option called 'trace'"):
        inpaint_cli.score("pcnn-digits", metrics="mae", trace=True)


def test_levels_are_told_of_where_they_are_fewer_alone() -> None:
    given = ("--model", "telea", "--model", "pcnn-photos32", "--limit", 1, "-k", 1)
    told = "compared at"
    assert told in run(*given, "--metrics", "mae").stderr
    assert told not in run(*given, "--metrics", "mae", "--size", 48).stderr
