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
        if not isinstance(differences, dict) or not differences or type(n) is not int or n < 1 or spec.limit is None:
            return [Answer(None, State.FAIL, "the parity record compares nothing")]
        if set(differences) != set(case.outputs):
            reason = (
                f"the record compares {', '.join(differences)}; the outputs are {', '.join(case.outputs) or 'unknown'}"
            )
            return [Answer(None, State.FAIL, reason, n=n)]
        if not all(type(d) in (int, float) and math.isfinite(d) and d >= 0 for d in differences.values()):
            return [Answer(None, State.FAIL, "malformed: a difference is no number of at least 0", n=n)]
        output, worst = max(differences.items(), key=lambda item: (item[1], item[0]))
        state = spec.limit.state(worst, worst)
        reason = f"largest difference {worst:.2g}, in {output}, of {len(differences)} outputs"
        method = str(record.get("method", "largest absolute difference, torch against ONNX Runtime"))
        return [Answer(None, state, reason, float(worst), float(worst), float(worst), n=n, method=method)]
