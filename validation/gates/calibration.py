"""Gate on calibration: slope, observed over expected."""

from __future__ import annotations

from validation.gates.base import Answer, Case, GateSpec, Side
from validation.gates.estimates import judge_estimate


class CalibrationGate:
    """PASS if the whole interval of a calibration slope or O/E ratio lies within the band."""

    kind = "calibration"
    sides: tuple[Side, ...] = ("between",)
    measures = "calibration"
    bounds = None

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer per cohort."""
        return judge_estimate(spec, case)
