"""Claims of IPA (Harvey et al. 2022).

python -m benchmarks.claims_ipa [--measure DIRECTORY]
"""

from pathlib import Path

from benchmarks.claims import Claim, main
from benchmarks.lab import Answer, Contrast, Lab, verdict

PAPER = "ipa"


def pretrained(lab: Lab) -> Answer:
    """Compare a partial encoder on a frozen VAE with everything trained from scratch."""
    on_vae, scratch = lab.on_vaes("ipa"), from_scratch(lab)
    bound, crps = (
        Contrast(lab.side(on_vae, metric, line), lab.side(scratch, metric, line))
        for metric, line in (("nll", lab.PER_VALUE), ("crps", "fair"))
    )
    seconds = [sum(lab.seconds(models, "partial-encoder")) for models in (on_vae, scratch)]
    return lab.answer(
        verdict(bound, crps),
        f"equal steps, for which training from scratch took {seconds[1] / seconds[0]:.1f} times "
        f"as long: bound of nats per hidden value {bound.text()}; CRPS {crps.text(4)}",
    )


def from_scratch(lab: Lab) -> list[Path]:
    """Return models of which VAE and partial encoder learnt together."""
    together = ("--stage", "partial-encoder", "--set", "trained=all")
    return lab.models("ipa-scratch", "ipa", *together)


def other_vae(lab: Lab) -> Answer:
    """Compare a VAE of scikit-learn's digits with one of the pictures that are completed."""
    own, other = lab.on_vaes("ipa"), lab.on_vaes("ipa", "other", vae_data="digits")
    cost, gain = (
        Contrast(lab.side(a, "nll", lab.PER_VALUE), lab.side(b, "nll", lab.PER_VALUE))
        for a, b in ((own, other), (other, from_scratch(lab)))
    )
    return lab.answer(
        "yes" if gain.sign > 0 else "no" if gain.sign < 0 else "not seen",
        "bound of nats per hidden value of a partial encoder on a VAE of the same pictures and on "
        f"one of scikit-learn's 1797 digits: {cost.text()}; on the latter and from scratch: "
        f"{gain.text()}",
    )


def other_masks(lab: Lab) -> Answer:
    """Let partial encoders of IPA and of AIPO complete under each other's masks."""
    ipa, aipo = lab.on_vaes("ipa"), lab.on_vaes("aipo")
    costs = {
        masks: Contrast(
            lab.side(home, "nll", lab.PER_VALUE, masks=masks),
            lab.side(guest, "nll", lab.PER_VALUE, masks=masks),
        )
        for masks, home, guest in (("freeform@mixture", ipa, aipo), ("patches", aipo, ipa))
    }
    surely = sum(cost.sign > 0 for cost in costs.values())
    figures = "; ".join(f"`{masks}` {cost.text()}" for masks, cost in costs.items())
    return lab.answer(
        ("yes", "in part", "at a cost")[surely],
        "bound of nats per hidden value of the one that was trained for these masks and of the "
        f"other: {figures}",
    )


CLAIMS = (
    Claim("IPA is more diverse than IPA-R", "table 1"),
    Claim("a pretrained VAE beats training from scratch at equal time", "figure 4", pretrained),
    Claim("a VAE of another data set serves almost as well", "figure 4", other_vae),
    Claim("temperature 0.85 improves FID and P-IDS", "table 1"),
    Claim(
        "a partial encoder trained on IPA's masks fills AIPO's, and the other way round",
        "-",
        other_masks,
    ),
    Claim("IPA is nearer to the truth (LPIPS-GT) than CoModGAN", "table 1"),
)

if __name__ == "__main__":
    main(PAPER, CLAIMS)
