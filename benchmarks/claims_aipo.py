"""Claims of AIPO (Harvey et al. 2021).

python -m benchmarks.claims_aipo [--measure DIRECTORY]
"""

from benchmarks.claims import Claim, main
from benchmarks.lab import FEATURES, Answer, Contrast, Lab, verdict

PAPER = "aipo"


def forward_or_reverse(lab: Lab) -> Answer:
    """Compare both objectives on the same VAEs, after equally many steps."""
    sides = [lab.on_vaes(family) for family in ("aipo", "aipo-r")]
    masks = {"masks": "patches", "features": FEATURES}
    kid = [lab.side(models, "kid", **masks) for models in sides]
    score = [lab.side(models, "is", **masks) for models in sides]
    apart = [lab.side(models, "lpips-diversity", masks="patches") for models in sides]
    distance, reals, spread = (
        Contrast(kid[0], kid[1]),
        Contrast(score[1], score[0]),
        Contrast(apart[1], apart[0]),
    )
    return lab.answer(
        verdict(distance, reals, spread),
        f"`patches`, equal steps, forward and reverse: KID {distance.text(4)}; reverse and "
        f"forward: inception score {reals.text()}, diversity {spread.text()}",
    )


def holes(lab: Lab) -> Answer:
    """Fill holes with partial encoders that learnt squares, and with ones that learnt holes."""
    learnt = lab.on_vaes("aipo", "holes", "--set", "masks=holes")
    cost = Contrast(
        lab.side(learnt, "nll", lab.PER_VALUE, masks="holes"),
        lab.side(lab.on_vaes("aipo"), "nll", lab.PER_VALUE, masks="holes"),
    )
    return lab.answer(
        "no" if cost.sign > 0 else "no sure loss",
        f"`holes`, bound of nats per hidden value of a partial encoder that was trained for holes "
        f"and of one that was trained for squares: {cost.text()}",
    )


CLAIMS = (
    Claim(
        "the forward objective beats the reverse one in FID, IS and diversity",
        "table 1",
        forward_or_reverse,
    ),
    Claim("FID is better than PIC's for each number of visible squares", "figure 3"),
    Claim("without further training it fills holes as well", "table 1, holes", holes),
)

if __name__ == "__main__":
    main(PAPER, CLAIMS)
