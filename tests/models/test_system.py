"""The values given to a training system refuse what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.system import DevelopmentSet, FollowUp, TrainingParams
from tests.models.specimens import TINY, params

PATIENTS = DevelopmentSet(
    patient_ids=("a", "b", "c"),
    inputs={"x": np.zeros((3, 2), dtype=np.float32)},
    follow_up={"os": FollowUp(np.array([True, False, True]), np.array([1.0, 2.0, 3.0]))},
    labels={"response": np.array([1.0, np.nan, 0.0])},
)


def os(event: list[Any], time_months: list[float]) -> dict[str, Any]:
    """Other outcomes of the same endpoint."""
    return {"follow_up": {"os": FollowUp(np.array(event), np.array(time_months))}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patient_ids": ("a", "b", "a")}, "a patient appears more than once"),
        ({"patient_ids": ("a", "b")}, r"2 patients, but other lengths for .*'x': 3"),
        (os([1, 0, 1], [1.0, 2.0, 3.0]), "os event: dtype int64, expected bool"),
        (os([True, False, True], [1.0, 0.0, 3.0]), "os time_months: .*not positive"),
        (os([True, False, True], [1.0, np.nan, 3.0]), "missing"),
        (os([True, False], [1.0, 2.0]), r"other lengths for .*'event of os': 2"),
        ({"labels": {"response": np.array([2.0, 0.0, 1.0])}}, "label response: other values than 0, 1 and NaN"),
    ],
)
def test_development_set_refuses(changes: dict[str, Any], message: str) -> None:
    """Repeated ids, other lengths, other types and impossible times are errors."""
    with pytest.raises(ValueError, match=message):
        replace(PATIENTS, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_ids": ("a", "b", "d")},
        {"inputs": {"y": np.zeros((3, 2), dtype=np.float32)}},
        {"inputs": {"x": np.zeros((3, 2), dtype=np.float16)}},
        {"inputs": {"x": np.ones((3, 2), dtype=np.float32)}},
        os([True, True, True], [1.0, 2.0, 3.0]),
        os([True, False, True], [1.0, 2.0, 4.0]),
        {"labels": {"response": np.array([0.0, np.nan, 0.0])}},
    ],
)
def test_digest_depends_on_every_part(changes: dict[str, Any]) -> None:
    """Ids, names, types, values and outcomes all count; equal sets have equal digests."""
    assert replace(PATIENTS).digest() == PATIENTS.digest()
    assert replace(PATIENTS, **changes).digest() != PATIENTS.digest()


def test_params_take_whole_numbers_for_floats() -> None:
    """YAML writes 1.0 as 1 at times; the parameters are equal and digest alike."""
    assert params(width=1) == params(width=1.0)
    assert type(params(width=1).width) is float


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, "parameter epoch: found an unknown parameter, expected one of width"),
        ({"epochs": 3.5}, r"epochs: found 3\.5 \(float\), expected int"),
        ({"epochs": True}, r"epochs: found True \(bool\), expected int"),
        ({"learning_rate": "1e-3"}, r"learning_rate: found '1e-3' \(str\), expected float"),
        ({"pretrained": 3}, r"pretrained: found 3 \(int\), expected str \| None"),
        ({"dropout": 1}, r"dropout: found 1\.0, expected 0 <= dropout < 1"),
        ({"schedule": "linear"}, "schedule: found 'linear', expected cosine or constant"),
        ({"precision": "fp16"}, "precision: found 'fp16', expected fp32 or bf16"),
        ({"width": float("nan")}, "width: found nan"),
        ({"pretrained": "w.pt"}, r"pretrained: found 'w\.pt', expected null unless width is 1\.0"),
    ],
)
def test_params_refuse(changes: dict[str, Any], message: str) -> None:
    """Every error names the key, what was found and what was expected."""
    with pytest.raises(ValueError, match=message):
        params(**changes)


def test_params_name_the_missing_key() -> None:
    """A parameter that is not given has no default."""
    with pytest.raises(ValueError, match="parameter folds: found nothing"):
        TrainingParams.from_mapping({key: value for key, value in TINY.items() if key != "folds"})


def test_params_of_a_network_that_needs_more() -> None:
    """A subclass adds keys and is checked the same way."""

    @dataclass(frozen=True)
    class WithLossWeight(TrainingParams):
        loss_weight: float

    assert WithLossWeight.from_mapping({**TINY, "loss_weight": 2}).loss_weight == 2.0
    with pytest.raises(ValueError, match="parameter loss_weight: found nothing"):
        WithLossWeight.from_mapping(TINY)
