"""Vision transformers as feature networks: DINOv2 ViT-S/14, and CLIP's image tower ViT-B/32.

Dosovitskiy et al. 2021 with what both add to it (Oquab et al. 2024, Radford et al. 2021). Modules
have timm's names, so that its files fit as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from inpaint_cli.errors import UserError

SIDE = 224
"""Pixels across that all of them are shown."""
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Layout:
    """What tells one network from another, and how pictures are shown to it."""

    patch: int
    """Pixels across a patch, which becomes a token."""
    width: int
    heads: int
    grid: int
    """Patches across a picture of the size that position embeddings are stored for."""
    eps: float
    """Of the normalisations."""
    mean: Triple
    """Of the values in 0..1 that it was trained on."""
    deviation: Triple
    scaled: bool = False
    """Each residual has a factor for each channel."""
    normed: bool = False
    """Tokens are normalised before the first block; patches have no bias."""
    quick: bool = False
    """The activation is x sigmoid(1.702 x), not GELU itself."""
    projected: int = 0
    """Length of what the class token is projected to; 0 = it is the feature."""
    depth: int = 12

    @property
    def features(self) -> int:
        """Length of a feature vector."""
        return self.projected or self.width


_CLIP = Layout(
    patch=32,
    width=768,
    heads=12,
    grid=7,
    eps=1e-5,
    mean=(0.48145466, 0.4578275, 0.40821073),
    deviation=(0.26862954, 0.26130258, 0.27577711),
    normed=True,
    projected=512,
)
LAYOUTS = {
    "vit_small_patch14_dinov2": Layout(
        patch=14,
        width=384,
        heads=6,
        grid=37,
        eps=1e-6,
        mean=(0.485, 0.456, 0.406),
        deviation=(0.229, 0.224, 0.225),
        scaled=True,
    ),
    "vit_base_patch32_clip_quickgelu_224": replace(_CLIP, quick=True),
    "vit_base_patch32_clip_224": _CLIP,
}
"""timm's name -> network."""
OPENAI = "vit_base_patch32_clip_224.openai"
"""timm's name of weights that were trained with the quick activation, though its network has GELU
unless the variant "quickgelu" is asked for."""


def layout_named(name: str) -> str | None:
    """Return the key of `LAYOUTS` that a name of timm means, with or without the tag of weights.

    >>> layout_named("vit_small_patch14_dinov2.lvd142m"), layout_named("resnet50")
    ('vit_small_patch14_dinov2', None)
    >>> layout_named("vit_base_patch32_clip_224.openai")
    'vit_base_patch32_clip_quickgelu_224'
    """
    if name == OPENAI:
        return "vit_base_patch32_clip_quickgelu_224"
    bare = name.partition(".")[0]
    return bare if bare in LAYOUTS else None


class QuickGELU(nn.Module):
    """The approximation of GELU that CLIP was trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Attention(nn.Module):
    """Self-attention of several heads: tokens [N, T, width] to as many."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        parted = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parted)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class Mlp(nn.Module):
    """Two layers that widen each token fourfold in between."""

    def __init__(self, width: int, quick: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = QuickGELU() if quick else nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        projected: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return projected


class LayerScale(nn.Module):
    """A factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


class Block(nn.Module):
    """Attention and two layers for each token, each normalised before and added to what was."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        width = layout.width
        self.norm1 = nn.LayerNorm(width, eps=layout.eps)
        self.attn = Attention(width, layout.heads)
        self.ls1 = LayerScale(width) if layout.scaled else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=layout.eps)
        self.mlp = Mlp(width, layout.quick)
        self.ls2 = LayerScale(width) if layout.scaled else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        added: Tensor = tokens + self.ls2(self.mlp(self.norm2(tokens)))
        return added


class Patches(nn.Module):
    """Maps images [N, 3, H, W] to the tokens of their patches [N, T, width], row by row."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        size = layout.patch
        self.proj = nn.Conv2d(3, layout.width, size, size, bias=not layout.normed)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.proj(images).flatten(2).transpose(1, 2)
        return tokens


class VisionTransformer(nn.Module):
    """Maps normalised images [N, 3, H, W], sides multiples of the patch, to features [N, d]."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        width = layout.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + layout.grid**2, width))
        self.patch_embed = Patches(layout)
        self.norm_pre = nn.LayerNorm(width, eps=layout.eps) if layout.normed else nn.Identity()
        self.blocks = nn.Sequential(*(Block(layout) for _ in range(layout.depth)))
        self.norm = nn.LayerNorm(width, eps=layout.eps)
        self.head = nn.Linear(width, layout.projected) if layout.projected else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        size = images.shape[2] // self.layout.patch, images.shape[3] // self.layout.patch
        patches = self.patch_embed(images)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1)
        tokens = self.blocks(self.norm_pre(tokens + self._positions(size)))
        features: Tensor = self.head(self.norm(tokens[:, 0]))
        return features

    def outputs(self, images: Tensor) -> tuple[Tensor, None]:
        """Return features of uint8 images [N, 3, H, W], and no classes."""
        shape = (SIDE, SIDE)
        sized = functional.interpolate(images.float(), shape, mode="bicubic", antialias=True)
        mean, deviation = (
            sized.new_tensor(values)[:, None, None]
            for values in (self.layout.mean, self.layout.deviation)
        )
        return self((sized.clamp(0, 255) / 255 - mean) / deviation), None

    def _positions(self, size: tuple[int, int]) -> Tensor:
        """Return the position embeddings for so many patches, interpolated as timm does."""
        grid = self.layout.grid
        if size == (grid, grid):
            return self.pos_embed
        stored = self.pos_embed[:, 1:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        fitted = functional.interpolate(stored, size, mode="bicubic", antialias=True)
        return torch.cat([self.pos_embed[:, :1], fitted.flatten(2).transpose(1, 2)], dim=1)


def load(tensors: Mapping[str, Tensor], name: str, where: str) -> VisionTransformer:
    """Return the network with weights in the spelling of timm, of Meta (DINOv2) or of CLIP.

    name: a key of `LAYOUTS`. UserError where a tensor is missing, left over or of another shape.
    """
    with torch.device("meta"):
        network = VisionTransformer(LAYOUTS[name])
    given = dict(tensors)
    if any(tensor.startswith("visual.") for tensor in given):
        given = _of_clip(given)
    given.pop("mask_token", None)  # of Meta's file: serves training alone
    state = {}
    for tensor, wanted in network.state_dict().items():
        values = given.pop(tensor, None)
        if values is None or values.shape != wanted.shape:
            raise UserError(
                f"{where}: no {tensor} of shape {list(wanted.shape)}, so it is no {name}.",
                setting="features",
            )
        state[tensor] = values.detach().to("cpu", torch.float32, copy=True)
    if given:
        raise UserError(f"{where}: {min(given)} is no part of {name}.", setting="features")
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


CLIP_NAMES = (
    (r"class_embedding", "cls_token"),
    (r"positional_embedding", "pos_embed"),
    (r"conv1\.", "patch_embed.proj."),
    (r"ln_pre\.", "norm_pre."),
    (r"ln_post\.", "norm."),
    (r"transformer\.resblocks\.(\d+)\.ln_", r"blocks.\1.norm"),
    (r"transformer\.resblocks\.(\d+)\.attn\.in_proj_", r"blocks.\1.attn.qkv."),
    (r"transformer\.resblocks\.(\d+)\.attn\.out_proj\.", r"blocks.\1.attn.proj."),
    (r"transformer\.resblocks\.(\d+)\.mlp\.c_fc\.", r"blocks.\1.mlp.fc1."),
    (r"transformer\.resblocks\.(\d+)\.mlp\.c_proj\.", r"blocks.\1.mlp.fc2."),
)
"""How CLIP's names of the image tower begin, after "visual.", and what timm has in their place."""


def _of_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the image tower of CLIP's own files, or of open_clip's, by timm's names.

    >>> list(_of_clip({"visual.ln_pre.bias": torch.ones(1), "logit_scale": torch.ones(1)}))
    ['norm_pre.bias']
    """
    tower = dict[str, Tensor]()
    for name, tensor in tensors.items():
        inner = name.removeprefix("visual.")
        if inner == name:  # of the text's tower
            continue
        if inner == "proj" and tensor.ndim == 2:  # there features @ proj, without a bias
            tower |= {"head.weight": tensor.T, "head.bias": tensor.new_zeros(tensor.shape[1])}
            continue
        for begins, ours in CLIP_NAMES:
            inner = re.sub(f"^{begins}", ours, inner)
        axes = {"cls_token": 2, "pos_embed": 1}.get(inner, 0)  # which timm has in front
        tower[inner] = tensor[(None,) * axes] if axes else tensor
    return tower
