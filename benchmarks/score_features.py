"""Inception features of a folder a second: ours beside torch-fidelity's own, measured in one run.

Both read the same PNG files and run the same network on one device, with random weights, which cost
the same as the published ones: no file is needed. The largest difference of a feature is printed.

    python -m benchmarks.score_features [--images 64] [--size 128] [--repeats 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint_cli.metrics import features, inception
from inpaint_cli.pictures.plain import plain_bytes

SHAPES = Path("tests/golden/metrics/inception_state_dict.json")
T = TypeVar("T")


def random_state() -> dict[str, Tensor]:
    """Return weights of the network's names and shapes that keep activations in range."""
    state = {}
    for name, shape in json.loads(SHAPES.read_text()).items():
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        draw = rng.random(math.prod(shape)).reshape(shape)
        if name.endswith(("running_var", "bn.weight")):
            value = 0.5 + draw
        elif name.endswith(("running_mean", ".bias")):
            value = 0.2 * (draw - 0.5)
        else:
            value = (2 * draw - 1) * math.sqrt(6 / math.prod(shape[1:] or [1]))
        state[name] = torch.from_numpy(np.asarray(value)).float()
    return state


def write_pictures(folder: Path, count: int, size: int) -> None:
    """Write smooth random pictures."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{number:05}.png")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return a result and the seconds that it took."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def ours(folder: Path, state: dict[str, Tensor], device: torch.device) -> Tensor:
    """Read and passes the pictures as `inpaint score` does, shard by shard."""
    network = inception.of_state(state).to(device)
    if device.type == "cpu":
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    extractor = features.FeatureExtractor(
        "inception", inception.FEATURES, "", None, True, device, inception.CLASSES, network
    )
    vectors, paths = [], sorted(folder.glob("*.png"))
    for start in range(0, len(paths), features.BATCH):
        pixels = [plain_bytes(path)[0] for path in paths[start : start + features.BATCH]]
        images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
        vectors.append(extractor.features(images))
    return torch.cat(vectors)


def theirs(folder: Path, weights: Path, device: torch.device) -> Tensor:
    """Read and passes the pictures as the command `fidelity` does."""
    library = inception.library("torch_fidelity.utils")
    extractor = library.create_feature_extractor(
        "inception-v3-compat",
        ["2048"],
        cuda=device.type == "cuda",
        verbose=False,
        feature_extractor_weights_path=str(weights),
    )
    extracted = library.extract_featuresdict_from_input_id(
        1,
        extractor,
        input1=str(folder),
        cuda=device.type == "cuda",
        verbose=False,
        save_cpu_ram=True,
        batch_size=64,
        samples_find_deep=False,
    )
    vectors: Tensor = extracted["2048"]
    return vectors


def main() -> None:
    """Measure and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name) / "pictures", Path(name) / "weights.pth"
        folder.mkdir()
        write_pictures(folder, options.images, options.size)
        state = random_state()
        torch.save(state, weights)
        our_seconds = their_seconds = math.inf
        for _ in range(options.repeats):  # in turn, so that other work on the machine hits both
            first, taken = timed(lambda: ours(folder, state, device))
            our_seconds = min(our_seconds, taken)
            second, taken = timed(lambda: theirs(folder, weights, device))
            their_seconds = min(their_seconds, taken)
    difference = float((first - second).abs().max() / second.abs().max())
    print(f"{options.images} pictures of {options.size}x{options.size}, {device}, batches of 64")
    print(f"ours            {options.images / our_seconds:7.2f} images/s")
    print(f"torch-fidelity  {options.images / their_seconds:7.2f} images/s")
    print(f"ratio           {their_seconds / our_seconds:7.2f}")
    print(f"largest difference, of the largest feature: {difference:.1e}")


if __name__ == "__main__":
    main()
