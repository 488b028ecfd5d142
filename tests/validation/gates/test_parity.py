"""Gate on parity between torch and ONNX Runtime."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.validation.specimens import judged, states
from validation.protocol import Protocol


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0, "PASS"), (1e-4, "PASS"), (1.1e-4, "FAIL"), (math.nan, "FAIL"), (math.inf, "FAIL"), (-1e-9, "FAIL")],
)
def test_largest_difference_decides(plan: Protocol, difference: float, expected: str) -> None:
    """The worst output decides; what is not a number fails."""
    verdict = judged(plan, "parity", "max_abs_difference", "risk", value=difference)

    assert states(verdict, "parity") == {None: expected}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((), None, "was not recorded"),
        (("artifact",), "f" * 64, "stale"),
        (("model",), "another", "stale"),
        (("max_abs_difference",), {}, "compares nothing"),
        (("max_abs_difference",), [0.0, 0.0], "compares nothing"),
        (("max_abs_difference",), {"lp": 0.0}, "the record compares lp; the outputs are lp, risk"),
        (("max_abs_difference", "risk"), "small", "malformed"),
        (("max_abs_difference", "risk"), None, "malformed"),
        (("max_abs_difference", "risk"), False, "malformed"),
        (("n",), "16", "compares nothing"),
        (("n",), 0, "compares nothing"),
    ],
)
def test_fails(plan: Protocol, path: tuple[str, ...], value: Any, reason: str) -> None:
    """A record that is missing, stale or empty fails."""
    verdict = judged(plan, "parity", *path, value=value)
    (answer,) = (g.answer for g in verdict.gates if g.spec.id == "parity")

    assert str(answer.state) == "FAIL"
    assert reason in answer.reason
