"""Images per second of FID-Inception features: ours beside torch-fidelity's own extractor.

Weights are random, so none are needed; both see the same images, in turns, on one thread.

    python -m benchmarks.inception_speed --images 16 --size 32
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from inpaint_cli.metrics.inception import library, of_state

ROUNDS = 4


def seconds(work: Callable[[], object]) -> float:
    """Gives the processor time that `work` takes: other work on the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Parses the command line above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    theirs, state = reference()
    ours = of_state(state).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randint(0, 256, (options.images, 3, options.size, options.size))
    images = images.to(torch.uint8)
    with torch.inference_mode():
        spread = float((ours(images)[0] - theirs(images)[0]).abs().max() / ours(images)[0].max())
        pairs = [(seconds(lambda: theirs(images)), seconds(lambda: ours(images)))
                 for _ in range(ROUNDS)]  # fmt: skip
    best = [min(times) for times in zip(*pairs, strict=True)]
    rates = [options.images / value for value in best]
    print(
        f"torch-fidelity {rates[0]:.2f} images/s, ours {rates[1]:.2f}, {rates[1] / rates[0]:.2f}x"
    )
    print(f"largest difference of a feature: {spread:.1e} of the largest feature")


def reference() -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """Gives torch-fidelity's extractor with random weights, and these weights."""
    module = library("torch_fidelity.feature_extractor_inceptionv3")
    kind = type("Random", (module.FeatureExtractorInceptionV3,), {"load_state_dict": _leave})
    module.load_state_dict_from_url = lambda *given, **named: {}
    extractor = kind("random", ["2048"])
    return extractor, dict(extractor.state_dict())


def _leave(self: object, state: object) -> None:
    """Keeps the random weights."""


if __name__ == "__main__":
    main()
