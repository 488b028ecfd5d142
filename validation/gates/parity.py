"""Gate on parity: the ONNX file answers as the trained network did."""

from __future__ import annotations

import math

from validation.gates.base import Answer, Case, GateSpec, Side, State


class ParityGate:
    """PASS if no output of the shipped ONNX file differs from torch by more than the limit."""

    kind = "onnx_parity"
    sides: tuple[Side, ...] = ("at_most",)
    measures = None
    bounds = (0.0, 1.0)

    def judge(self, spec: GateSpec, case: Case) -> list[Answer]:
        """Return one answer: parity is a property of the model, not of a cohort."""
        record = case.parity
        if record is None:
            return [Answer(None, State.FAIL, "parity was not recorded")]
        if record.get("model") != case.model or record.get("artifact") != case.artifact_digest:
            return [Answer(None, State.FAIL, "stale: parity was recorded on another folder than the one that ships")]
        differences, n = record.get("max_abs_difference"), record.get("n")
        if (
            not differences
            or not isinstance(differences, dict)
            or not isinstance(n, int)
            or n < 1
            or spec.limit is None
        ):
            return [Answer(None, State.FAIL, "the parity record compares nothing")]
        if not all(isinstance(value, float | int) and math.isfinite(value) for value in differences.values()):
            return [Answer(None, State.FAIL, "the parity record holds a difference that is not a number", n=n)]
        output, worst = max(differences.items(), key=lambda item: (item[1], item[0]))
        state = spec.limit.state(worst, worst)
        reason = f"largest difference {worst:.2g}, in {output}, of {len(differences)} outputs"
        method = str(record.get("method", "largest absolute difference, torch against ONNX Runtime"))
        return [Answer(None, state, reason, float(worst), float(worst), float(worst), n=n, method=method)]
