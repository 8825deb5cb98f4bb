"""A metric as somebody might add it: one file, and one line in the registry."""

from collections.abc import Iterator

from inpaint_cli.metrics.metric import Figures, Line, MeasuredCase, Metric, Results, mean_line


class Brightness(Metric):
    """How bright the completions are."""

    name = "brightness"
    summary = "mean level of the completions in 0..1"
    better = "none"
    needs = frozenset({"several"})
    digits = 1

    def figures(self, case: MeasuredCase) -> Figures:
        return {"brightness": float(case.completions.double().mean()) / 255}

    def lines(self, results: Results) -> Iterator[Line]:
        yield mean_line(self, results, "brightness", f"mean over {results.k}")


METRICS = {"brightness": Brightness()}
