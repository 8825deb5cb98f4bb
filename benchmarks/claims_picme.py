"""Claims of PICME (Xia et al. 2022).

python -m benchmarks.claims_picme
"""

from benchmarks.claims import Claim, write

PAPER = "picme"
CLAIMS = (
    Claim(
        "six primitives beat one",
        "tables 1 and 3",
        "in part",
        "32 x 32, 300 pictures: more diverse (0.174 ± 0.007 image by image), slightly worse (PSNR "
        "0.77 ± 0.07 dB lower); likewise under the paper's masks, where FID is 1.26 ± 0.10 against "
        "1.08 ± 0.08 (centre) and 3.20 ± 0.25 against 2.53 ± 0.21 (random; "
        "[above](#photos-at-32-x-32-and-the-two-forms-of-picme))",
        trainings=1,
    ),
    Claim("the number of primitives, 1, 3 or 6, controls diversity", "section 1"),
    Claim("it beats PIC with the hole in the centre", "tables 1 and 3"),
    Claim("it beats PIC with random holes", "table 2"),
    Claim("the adversarial term L_A makes results more realistic", "section 3"),
    Claim("a completion is drawn hundreds of times as fast as by ICT", "table 4"),
)

if __name__ == "__main__":
    write(PAPER, CLAIMS)
