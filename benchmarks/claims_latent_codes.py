"""Claims of the latent codes (Chen & Zhao 2024).

python -m benchmarks.claims_latent_codes [--measure DIRECTORY]
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.claims import Claim, main
from benchmarks.lab import FEATURES, Answer, Contrast, Lab, log_of, verdict
from inpaint_cli import api
from inpaint_cli.family import Completions
from inpaint_cli.models.evaluation import evaluating
from inpaint_cli.models.latent_codes.blocks import at_side
from inpaint_cli.models.latent_codes.networks import LatentCodes
from inpaint_cli.models.latent_codes.sampling import encode_context, picture_of, tokens_of
from inpaint_cli.models.latent_codes.token_sampling import Drawing
from inpaint_cli.models.pixels import paste_visible
from inpaint_cli.randomness import Noise

PAPER = "latent-codes"
SHORT = ("--set", "transformer.steps=1", "--set", "decoder.steps=1")
"""Where only the encoder is looked at."""

Way = Callable[[LatentCodes, Tensor, Tensor, Noise], Tensor]


def literal(lab: Lab) -> Answer:
    """Compare the restrictive encoder of equation 3 with an ordinary one, next to holes."""
    right = {
        form: [border_accuracy(model) for model in encoders(lab, form)]
        for form in ("off", "strict", "literal")
    }
    printed, ours = (Contrast(right["off"], right[form]) for form in ("literal", "strict"))
    return lab.answer(
        verdict(printed),
        f"right tokens next to holes [%], an ordinary encoder and equation 3: {printed.text(1)}; "
        f"an ordinary one and `restrictive=strict`: {ours.text(1)}",
        pictures=False,
    )


def encoders(lab: Lab, form: str) -> list[Path]:
    """Return models whose encoder is of a form; their other stages are not trained."""
    return lab.models(f"latent-{form}", "latent-codes", "--set", f"restrictive={form}", *SHORT)


def border_accuracy(model: Path) -> float:
    """Return the last figure of a training's validations, in percent."""
    lines = [line["figures"] for line in log_of(model) if line["kind"] == "validation"]
    return 100 * float([f["border_accuracy"] for f in lines if "border_accuracy" in f][-1])


def own_decoder(lab: Lab) -> Answer:
    """Compare the generator beside visible pixels with the VQGAN's decoder, pasted."""
    models = lab.models("latent", "latent-codes")
    return against(lab, "the VQGAN's own", models, by_vqgan)


def alpha(lab: Lab) -> Answer:
    """Compare alpha = 0.5, the share of a token's pixels that must be visible, with the others."""
    usual = lab.models("latent", "latent-codes")
    contrasts, texts = [], []
    for other in ("0.25", "0.75", "1"):
        models = lab.models(f"latent-alpha-{other}", "latent-codes", "--set", f"alpha={other}")
        kid, crps = (
            Contrast(lab.side(usual, *line, **more), lab.side(models, *line, **more))
            for line, more in ((("kid",), {"features": FEATURES}), (("crps", "fair"), {}))
        )
        contrasts += [kid, crps]
        texts.append(f"0.5 and {other}: KID {kid.text(4)}; CRPS {crps.text(4)}")
    return lab.answer(verdict(*contrasts), "alpha = " + "; ".join(texts))


def miracle(lab: Lab) -> Answer:
    """Compare the encoder's tokens with the true ones of the visible part."""
    models = lab.models("latent", "latent-codes")
    answer = against(lab, "true tokens", models, with_true_tokens, better=True)
    # The claim is that there is nothing to see.
    swapped = {"yes": "no", "no": "yes", "not seen": "no sure help"}
    return replace(answer, answer=swapped.get(answer.answer, answer.answer))


def against(lab: Lab, name: str, models: Sequence[Path], way: Way, better: bool = False) -> Answer:
    """Compare models as they are with another way of completing; `better`: that one should win."""
    figures = []
    for metric, line, options in (("kid", "", {"features": FEATURES}), ("crps", "fair", {})):
        plain = lab.side(models, metric, line, **options)
        other = [scored(lab, model, way, metric, line, options) for model in models]
        figures.append(Contrast(other, plain) if better else Contrast(plain, other))
    order = f"{name} and as it is" if better else f"as it is and with {name}"
    kid, crps = figures
    return lab.answer(verdict(kid, crps), f"{order}: KID {kid.text(4)}; CRPS {crps.text(4)}")


def scored(
    lab: Lab, model: Path, way: Way, metric: str, line: str, options: dict[str, Any]
) -> float:
    """Return a figure of a model that completes another way."""
    loaded = api.load_model(str(model), "cpu")
    network = loaded.model
    assert isinstance(network, LatentCodes)

    def complete(image: Tensor, visible: Tensor, noise: Noise, **_: object) -> Completions:
        with evaluating(network):
            pictures = way(network, image, visible, noise)
        return Completions(paste_visible(pictures, image, visible, network.levels))

    network.complete = complete  # type: ignore[method-assign]
    other = replace(loaded, name=f"{loaded.name} {way.__name__}", weights_sha256=None)
    (document,) = api.score(other, **lab.options(metric, options))
    return lab.value(document, metric, line)


def by_vqgan(model: LatentCodes, image: Tensor, visible: Tensor, noise: Noise) -> Tensor:
    """Return what the VQGAN's decoder makes of the same tokens."""
    context = encode_context(model, *at_side(image, visible, model.config.coarse_side), True)
    tokens = tokens_of(model, context, noise, Drawing.usual(model.config), 1)
    return model.vqgan.decode(model.code_vectors(tokens)).float()


def with_true_tokens(model: LatentCodes, image: Tensor, visible: Tensor, noise: Noise) -> Tensor:
    """Return completions whose known tokens are those of the whole image (table 3)."""
    x, seen = at_side(image, visible, model.config.coarse_side)
    context = encode_context(model, x, seen, True)
    true = torch.where(context.known, model.vqgan.tokens(x).flatten(1), 0)
    logits = None if context.known.all() else model.transformer(true, context.known)
    context = replace(context, tokens=true, logits=logits)
    return picture_of(
        model, context, tokens_of(model, context, noise, Drawing.usual(model.config), 1)
    )


CLAIMS = (
    Claim("the restrictive encoder beats an ordinary one next to holes", "section 4"),
    Claim("the same with equation 3 as printed (`restrictive=literal`)", "equation 3", literal),
    Claim("annealing the temperature trades diversity for coherence", "section 3.2"),
    Claim("a starting temperature of 1 has a better FID than 0.1, 0.5 and 2", "table 2"),
    Claim("alpha = 0.5 is better than 0.25, 0.75 and 1", "table 2", alpha),
    Claim("the decoder beside visible pixels beats the VQGAN's own", "table 2", own_decoder),
    Claim(
        "true tokens in place of the encoder's (the miracle encoder) hardly help",
        "table 3",
        miracle,
    ),
    Claim("FID is better than that of MAT and LaMa", "table 1"),
)

if __name__ == "__main__":
    main(PAPER, CLAIMS)
