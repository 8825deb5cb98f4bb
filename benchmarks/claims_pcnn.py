"""Claims of the Pixel Constrained CNN (Dupont & Suresha 2018).

python -m benchmarks.claims_pcnn
"""

from benchmarks.claims import Claim, write

PAPER = "pcnn"
CLAIMS = (
    Claim(
        "likelier samples look better",
        "figure 7",
        "yes, to a classifier",
        "200 MNIST digits, 20-40 % visible, 16 completions each: the likelier half is nearer to "
        "the original (classifier distance 1.397 against 1.509, difference 0.111 ± 0.015), its "
        "class is surer (entropy 1.18 against 1.26, 0.080 ± 0.018) and that of the original gets "
        "more probability (2.36 nats against 2.50, 0.144 ± 0.058)",
        trainings=1,
    ),
    Claim("failed completions have a low likelihood", "figure 9"),
    Claim("completions of one picture are diverse", "figures 5 and 6"),
    Claim("the conditioning network's own loss (alpha > 0) improves results", "section 4.2"),
)

if __name__ == "__main__":
    write(PAPER, CLAIMS)
