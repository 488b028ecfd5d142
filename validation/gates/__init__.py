"""Gates: one class per kind. Adding one = one class, one line in `GATES`, its test, its section in docs/gates.md."""

from __future__ import annotations

from validation.gates.base import Gate
from validation.gates.calibration import CalibrationGate
from validation.gates.data import DataGate, ImageFailuresGate
from validation.gates.discrimination import DiscriminationGate
from validation.gates.independence import IndependenceGate
from validation.gates.parity import ParityGate

_BUILT_IN: tuple[Gate, ...] = (
    DiscriminationGate(),
    CalibrationGate(),
    DataGate(),
    ImageFailuresGate(),
    IndependenceGate(),
    ParityGate(),
)
GATES: dict[str, Gate] = {gate.kind: gate for gate in _BUILT_IN}
