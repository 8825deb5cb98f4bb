"""Claims of the latent codes (Chen & Zhao 2024).

python -m benchmarks.claims_latent_codes
"""

from benchmarks.claims import Claim, write

PAPER = "latent-codes"
CLAIMS = (
    Claim(
        "the restrictive encoder beats an ordinary one next to holes",
        "section 4",
        "no, in our form",
        "right tokens next to holes 23.5 % (`restrictive=strict`) against 24.8 % after equal "
        "training on masked pictures; before it 10.1 % against 11.9 % "
        "([latent-codes.md](latent-codes.md#the-restrictive-encoder-beside-an-ordinary-one))",
        trainings=1,
    ),
    Claim("the same with equation 3 as printed (`restrictive=literal`)", "equation 3"),
    Claim(
        "annealing the temperature trades diversity for coherence",
        "section 3.2",
        "in part",
        "with a factor of 0.7 diversity falls from 0.412 to 0.333, and completions come nearer to "
        "the original by 0.008 ± 0.003 (below); coherence itself was not measured",
        trainings=1,
    ),
    Claim(
        "a starting temperature of 1 has a better FID than 0.1, 0.5 and 2",
        "table 2",
        "yes",
        "`latent-codes-photos64`, 300 pictures, `freeform@mixture`: FID of `classifier-cifar10` "
        "1.07 ± 0.10 beside 1.37 ± 0.09, 1.24 ± 0.09 and 1.91 ± 0.18; diversity 0.855 beside "
        "0.038, 0.576 and 0.992",
        trainings=1,
    ),
    Claim("alpha = 0.5 is better than 0.25, 0.75 and 1", "table 2"),
    Claim("the decoder beside visible pixels beats the VQGAN's own", "table 2"),
    Claim("true tokens in place of the encoder's (the miracle encoder) hardly help", "table 3"),
    Claim("FID is better than that of MAT and LaMa", "table 1"),
)

if __name__ == "__main__":
    write(PAPER, CLAIMS)
