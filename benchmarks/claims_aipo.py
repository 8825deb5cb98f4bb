"""Claims of AIPO (Harvey et al. 2021).

python -m benchmarks.claims_aipo
"""

from benchmarks.claims import Claim, write

PAPER = "aipo"
CLAIMS = (
    Claim("the forward objective beats the reverse one in FID, IS and diversity", "table 1"),
    Claim("FID is better than PIC's for each number of visible squares", "figure 3"),
    Claim("without further training it fills holes as well", "table 1, holes"),
)

if __name__ == "__main__":
    write(PAPER, CLAIMS)
