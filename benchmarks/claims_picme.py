"""Claims of PICME (Xia et al. 2022).

python -m benchmarks.claims_picme [--measure DIRECTORY]
"""

from benchmarks.claims import Claim, main
from benchmarks.lab import FEATURES, Answer, Contrast, Lab, verdict

PAPER = "picme"


def primitives(lab: Lab) -> Answer:
    """Compare one, three and six components of the mixture."""
    apart, crps = {}, {}
    for k in (1, 3, 6):
        models = lab.models(f"picme-k{k}", "picme", "--set", f"primitives={k}")
        apart[k] = lab.side(models, "lpips-diversity")
        crps[k] = lab.side(models, "crps", "fair")
    steps = [Contrast(apart[1], apart[3]), Contrast(apart[3], apart[6])]
    return lab.answer(
        verdict(*steps),
        f"diversity with 1 and 3: {steps[0].text()}; with 3 and 6: {steps[1].text()}; CRPS with "
        f"1 and 6: {Contrast(crps[1], crps[6]).text(4)}",
    )


def adversaries(lab: Lab) -> Answer:
    """Compare trainings without the adversarial term and with each kind of discriminator."""
    plain = lab.models("picme-plain", "picme", "--set", "disc_layers=0")
    projected = ("--perceptual", FEATURES, "--set", "adversary=projected")
    kinds = {
        "patch": lab.models("picme-k6", "picme", "--set", "primitives=6"),
        "projected": lab.models("picme-projected", "picme", *projected),
    }
    without = lab.side(plain, "kid", features=FEATURES)
    distances = {
        kind: Contrast(lab.side(models, "kid", features=FEATURES), without)
        for kind, models in kinds.items()
    }
    crps = Contrast(lab.side(kinds["patch"], "crps", "fair"), lab.side(plain, "crps", "fair"))
    told = "; ".join(f"`adversary={kind}` {one.text(4)}" for kind, one in distances.items())
    return lab.answer(
        verdict(distances["patch"]),
        f"KID with and without L_A: {told}; CRPS with patches and without: {crps.text(4)}",
    )


CLAIMS = (
    Claim("six primitives beat one", "tables 1 and 3"),
    Claim("the number of primitives, 1, 3 or 6, controls diversity", "section 1", primitives),
    Claim("it beats PIC with the hole in the centre", "tables 1 and 3"),
    Claim("it beats PIC with random holes", "table 2"),
    Claim("the adversarial term L_A makes results more realistic", "section 3", adversaries),
    Claim("a completion is drawn hundreds of times as fast as by ICT", "table 4"),
)

if __name__ == "__main__":
    main(PAPER, CLAIMS)
