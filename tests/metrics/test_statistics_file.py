"""Published means and covariances: written, read, compared with, refused where they are none."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpaint_cli.errors import UserError
from inpaint_cli.metrics import inception, statistics_file
from inpaint_cli.metrics.estimate import Refused
from inpaint_cli.metrics.frechet import fid, fid_to, frechet_distance
from inpaint_cli.metrics.intervals import jackknife_bias, jackknife_blocks, jackknife_se
from inpaint_cli.metrics.moments import Moments
from tests.hostile_files import npy_header, npz

RNG = np.random.default_rng(0)
ROWS, OTHERS = RNG.normal(size=(90, 5)), RNG.normal(size=(120, 5)) * 1.5 + 0.3
MEAN, COVARIANCE = OTHERS.mean(axis=0), np.cov(OTHERS, rowvar=False)
FEATURES = {"id": "mine", "dim": 5, "resize": "none", "weights_sha256": None}


@pytest.mark.parametrize("turn", [False, True])
def test_the_distance_of_known_gaussians_is_the_closed_form(turn: bool) -> None:
    means = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 2.0])
    spreads = np.array([4.0, 1.0, 0.25]), np.array([1.0, 9.0, 0.0])
    axes = np.linalg.qr(RNG.normal(size=(3, 3)))[0] if turn else np.eye(3)
    sides = [
        Moments.given(axes @ mean, axes @ np.diag(spread) @ axes.T)
        for mean, spread in zip(means, spreads, strict=True)
    ]
    # 1 + 9 + 2.25 between the means; (2 - 1)^2 + (1 - 3)^2 + 0.5^2 of deviations along one axes.
    assert frechet_distance(*sides) == pytest.approx(12.25 + 1 + 4 + 0.25, rel=1e-9)


def test_the_distance_is_that_of_torch_fidelity() -> None:
    theirs = inception.library("torch_fidelity.metric_fid").fid_statistics_to_metric(
        {"mu": MEAN, "sigma": COVARIANCE},
        {"mu": ROWS.mean(axis=0), "sigma": np.cov(ROWS, rowvar=False)},
        False,
    )
    distance = fid_to(Moments.given(MEAN, COVARIANCE), ROWS).value
    assert distance == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)
    assert distance == pytest.approx(fid(OTHERS, ROWS).value, rel=1e-9)


def test_error_and_bias_are_those_of_leaving_out_blocks_of_the_pictures() -> None:
    reference = Moments.given(MEAN, COVARIANCE)
    estimate = fid_to(reference, ROWS)
    blocks = jackknife_blocks(len(ROWS), 20)
    left_out = [
        frechet_distance(reference, Moments.of(np.delete(ROWS, block, 0))) for block in blocks
    ]
    assert estimate.se == pytest.approx(jackknife_se(left_out), rel=1e-9)
    assert estimate.bias == pytest.approx(jackknife_bias(estimate.value, left_out), rel=1e-9)
    assert estimate.bias is not None
    assert estimate.bias > 0
    assert (estimate.n, estimate.se_method) == (90, "jackknife-20")


def test_statistics_whose_errors_cannot_be_squared_are_refused() -> None:
    with pytest.raises(Refused, match="too large to be squared"):
        fid_to(Moments.given(MEAN, COVARIANCE * 1e300), ROWS)


def test_statistics_of_another_length_are_refused() -> None:
    with pytest.raises(Refused, match="differ in length"):
        fid_to(Moments.given(MEAN[:4], COVARIANCE[:4, :4]), ROWS)


def test_what_is_written_is_read_again_and_has_the_layout_of_pytorch_fid(tmp_path: Path) -> None:
    statistics_file.save(tmp_path / "a.npz", Moments.of(OTHERS), FEATURES)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["mu"], MEAN, rtol=1e-12)
        np.testing.assert_allclose(arrays["sigma"], COVARIANCE, rtol=1e-9)
    reference = statistics_file.load(tmp_path / "a.npz")
    assert (reference.name, reference.n, reference.features) == ("a.npz", 120, FEATURES)
    reference.check(FEATURES)
    assert fid_to(reference.moments, ROWS).value == pytest.approx(fid(OTHERS, ROWS).value, rel=1e-9)
    before = (tmp_path / "a.npz").read_bytes()
    statistics_file.save(tmp_path / "a.npz", Moments.of(OTHERS), FEATURES)
    assert (tmp_path / "a.npz").read_bytes() == before


@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f8"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_files_of_other_tools_are_read(tmp_path: Path, kind: Any, write: Any) -> None:
    more = {"arr_0": np.zeros((2, 8, 8, 3), np.uint8)}  # a batch of samples, as some files have
    write(tmp_path / "b.npz", mu=MEAN.astype(kind), sigma=COVARIANCE.astype(kind), **more)
    reference = statistics_file.load(tmp_path / "b.npz")
    np.testing.assert_allclose(reference.moments.mean, MEAN, rtol=1e-6)
    np.testing.assert_allclose(reference.moments.covariance, COVARIANCE, rtol=1e-5)
    assert (reference.n, reference.features) == (None, None)
    assert any("does not say which features" in line for line in reference.cautions())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "other", "dim": 6}, "a.npz: of 5 features; other has 6"),
        ({"resize": "clean"}, r"of other features \(mine, none\); mine has clean"),
        ({"weights_sha256": "1" * 64}, "of other features"),
    ],
)
def test_features_that_differ_are_told_apart(change: dict[str, Any], why: str) -> None:
    given = Moments.given(MEAN, COVARIANCE)
    known = statistics_file.Statistics("a.npz", given, "0" * 64, 120, FEATURES)
    with pytest.raises(UserError, match=why):
        known.check({**FEATURES, **change})


SKEW = COVARIANCE + np.triu(np.full((5, 5), 0.1), 1)
NEGATIVE = np.diag([1.0, 1, 1, 1, -0.5])
HOLED = np.where(np.eye(5) > 0, np.nan, COVARIANCE)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"mean": MEAN, "sigma": COVARIANCE}, "has no array 'mu'"),
        ({"mu": MEAN}, "has no array 'sigma'"),
        ({"mu": MEAN[:4], "sigma": COVARIANCE}, r"mu is \[4\] and sigma \[5, 5\]"),
        ({"mu": MEAN[None], "sigma": COVARIANCE}, r"mu is \[1, 5\]"),
        ({"mu": np.float64(1), "sigma": COVARIANCE}, r"mu is \[\]"),
        ({"mu": MEAN[:0], "sigma": COVARIANCE[:0, :0]}, r"mu is \[0\]"),
        ({"mu": MEAN, "sigma": COVARIANCE[:, :3]}, r"sigma \[5, 3\]"),
        ({"mu": MEAN.astype(int), "sigma": COVARIANCE}, "mu is int64, not float32"),
        ({"mu": MEAN, "sigma": COVARIANCE.astype(complex)}, "sigma is complex128"),
        ({"mu": MEAN * np.inf, "sigma": COVARIANCE}, "mu holds values that are no numbers"),
        ({"mu": MEAN, "sigma": HOLED}, "sigma holds values that are no numbers"),
        ({"mu": MEAN, "sigma": SKEW}, "sigma is not symmetric"),
        ({"mu": MEAN, "sigma": NEGATIVE}, "negative eigenvalues"),
        ({"mu": MEAN, "sigma": COVARIANCE, "inpaint": np.zeros(3)}, "'inpaint' is float64"),
        ({"mu": MEAN, "sigma": COVARIANCE, "inpaint": np.array("{")}, "damaged JSON"),
        ({"mu": MEAN, "sigma": COVARIANCE, "inpaint": np.array("[1]")}, "does not say of which"),
        (
            {"mu": MEAN, "sigma": COVARIANCE, "inpaint": np.array(json.dumps({"n_images": -1}))},
            "does not say of which",
        ),
    ],
)
def test_what_is_no_mean_and_covariance_is_refused(
    arrays: dict[str, Any], why: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(UserError, match=why) as raised:
        statistics_file.load(tmp_path / "bad.npz")
    assert "bad.npz" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not statistics_file.is_ours(tmp_path / "bad.npz")


def test_sizes_are_compared_before_memory_is_taken(tmp_path: Path) -> None:
    header = npy_header((8192,), "<f8"), npy_header((8192, 8192), "<f8")
    npz(tmp_path / "short.npz", mu=header[0] + bytes(65536), sigma=header[1] + bytes(1024))
    with pytest.raises(UserError, match="sigma ends early"):
        statistics_file.load(tmp_path / "short.npz")
    headers = npy_header((10**6,), "<f4"), npy_header((10**6, 10**6), "<f4")
    npz(tmp_path / "wide.npz", mu=headers[0] + bytes(4 * 10**6), sigma=headers[1] + bytes(100))
    with pytest.raises(UserError, match="ends early"):
        statistics_file.load(tmp_path / "wide.npz")


class Touching:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    array = np.array([Touching(tmp_path / "made")], dtype=object)
    np.savez(tmp_path / "bad.npz", allow_pickle=True, mu=array, sigma=COVARIANCE)
    with pytest.raises(UserError, match="Python objects, which could run code"):
        statistics_file.load(tmp_path / "bad.npz")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"PK\x03\x04rest"])
def test_another_file_of_that_name_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"^reference: .*bad\.npz cannot be read"):
        statistics_file.load(tmp_path / "bad.npz")
    with pytest.raises(UserError, match="no such file"):
        statistics_file.load(tmp_path / "none.npz")
