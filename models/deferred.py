"""A model of which only the facts are read: its weights are, once something is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inpaint_cli.errors import PlainError
from inpaint_cli.family import Completions, Config, Family, Model

if TYPE_CHECKING:
    from torch import Tensor, nn

    from inpaint_cli.randomness import Noise


class DeferredModel(Model):
    """Stands for a network whose weights wait on the disk, so that errors before come at once."""

    def __init__(self, family: Family, config: Config, load: Callable[[], Model]) -> None:
        self.describe(config)
        self.stochastic, self.has_log_prob = family.stochastic, family.has_log_prob
        self._reconstructs, self._load = family.reconstructs, load

    @cached_property
    def network(self) -> Any:
        """The network, loaded when it is first asked for."""
        try:
            return self._load()
        except PlainError as error:
            error.ends_batch = True  # it would fail for every photo
            raise

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters, whose place is that of the network."""
        return list(self.network.parameters())

    def complete(
        self,
        image: Tensor,
        visible: Tensor,
        noise: Noise,
        *,
        temperature: float | None = None,
        **options: Any,
    ) -> Completions:
        """Complete ONE image as the network does."""
        completions: Completions = self.network.complete(
            image, visible, noise, temperature=temperature, **options
        )
        return completions

    def no_reconstruction(self) -> str | None:
        """Return what the network says; what its family has none of needs no loading."""
        if not self._reconstructs:
            return super().no_reconstruction()
        why: str | None = self.network.no_reconstruction()
        return why

    def reconstruct(self, image: Tensor) -> Tensor:
        """Return what the network makes of whole images."""
        images: Tensor = self.network.reconstruct(image)
        return images

    def log_prob(self, image: Tensor, visible: Tensor) -> Tensor:
        """Return the likelihood as the network does."""
        nats: Tensor = self.network.log_prob(image, visible)
        return nats
