"""Claims of IPA (Harvey et al. 2022).

python -m benchmarks.claims_ipa
"""

from benchmarks.claims import Claim, write

PAPER = "ipa"
CLAIMS = (
    Claim(
        "IPA is more diverse than IPA-R",
        "table 1",
        "yes, where much is hidden",
        "CIFAR-10, equal steps: deviation of the expected pixels over completions, difference "
        "image by image 5.9 ± 0.2 of 255 at 0-20 % visible, 2.7 ± 0.2, 1.1 ± 0.3, 0.1 ± 0.4, 1.2 ± "
        "0.7 ([ipa.md](ipa.md#trained-here))",
        trainings=1,
    ),
    Claim("a pretrained VAE beats training from scratch at equal time", "figure 4"),
    Claim("a VAE of another data set serves almost as well", "figure 4"),
    Claim(
        "temperature 0.85 improves FID and P-IDS",
        "table 1",
        "not seen",
        "`ipa-cifar32`, 400 CIFAR-10 pictures, `freeform@mixture`, 2 completions: FID of "
        "`classifier-cifar10` 2.76 ± 0.20 against 2.82 ± 0.19 at temperature 1, P-IDS 5.0 % ± 0.9 "
        "at both, while diversity falls from 1.468 to 1.323 ± 0.011",
        trainings=1,
    ),
    Claim("a partial encoder trained on IPA's masks fills AIPO's, and the other way round", "-"),
    Claim("IPA is nearer to the truth (LPIPS-GT) than CoModGAN", "table 1"),
)

if __name__ == "__main__":
    write(PAPER, CLAIMS)
