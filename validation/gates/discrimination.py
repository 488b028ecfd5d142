"""Gate on discrimination: concordance, area under the ROC curve."""

from __future__ import annotations

from validation.gates.base import Answer, Case, GateSpec, Side
from validation.gates.estimates import judge_estimate


class DiscriminationGate:
    """PASS if the whole interval of a concordance or AUC lies above the limit."""

    kind = "discrimination"
    sides: tuple[Side, ...] = ("above",)
    measures = "discrimination"
    bounds = None

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per cohort."""
        return judge_estimate(spec, case)
