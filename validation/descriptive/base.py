"""What a descriptive analysis is: declared in the protocol, made of the shared estimators, shown and never gated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from validation.cohort_table import CohortTable
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.survival.log_rank import LogRank

DIGITS = 4  # significant digits of figure data but counts; estimates and P values are written in full
POINTS = 51  # at most, of one line
Row = dict[str, Any]


@dataclass(frozen=True)
class Series:
    """One line, or one set of points, of a figure.

    Attributes:
        name: In the legend.
        values: Arrays of one length by name: "x" and "y", and where there are any "lower", "upper", "at_risk" ...
        step: Whether y holds from its x until the next one.
    """

    name: str
    values: Mapping[str, ArrayLike]
    step: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, rounded; numbers that are not finite are null."""
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in self.values.items()}
        if len({array.shape for array in arrays.values()}) != 1 or next(iter(arrays.values())).ndim != 1:
            raise ValueError(f"series {self.name}: shapes {[array.shape for array in arrays.values()]}")
        step = {"step": True} if self.step else {}
        return {"name": self.name, **step, **{name: _rounded(array) for name, array in arrays.items()}}


@dataclass(frozen=True)
class Figure:
    """What a figure shows; drawn elsewhere.

    Attributes:
        x: Label of the horizontal axis, with its unit.
        y: Label of the vertical axis, with its unit.
        series: In the order of the legend.
    """

    x: str
    y: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Description:
    """The result of a descriptive analysis.

    Attributes:
        rows: Estimates and tests, made by `estimate_row` and `p_value_row`.
        figures: What can be drawn.
        table: Table of characteristics, if the analysis is one.
    """

    rows: tuple[Row, ...] = ()
    figures: tuple[Figure, ...] = ()
    table: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        figures = [{"x": f.x, "y": f.y, "series": [series.to_dict() for series in f.series]} for f in self.figures]
        return {"rows": list(self.rows), "figures": figures, "table": self.table}


@dataclass(frozen=True, kw_only=True)
class Descriptive(ABC):
    """One analysis as the protocol declares it: a subclass is a kind, its fields are the keys of the protocol's entry.

    Fields may be str, float, int, bool, tuples of str or of float, and these or None; one with a default may be left
    out. Columns are named as `CohortTable` names them.

    Attributes:
        kind: Name in the protocol.
        id: Name of this analysis in protocol and evidence.
    """

    kind: ClassVar[str]
    id: str

    @abstractmethod
    def describe(self, cohort: CohortTable) -> Description:
        """Analyse a cohort.

        Raises:
            UndefinedEstimate: The cohort cannot define any of it, for instance because it lacks the endpoint. What is
                undefined for a part of it is a row with the reason.
            InputError: A column does not exist or is of another type.
        """

    def where(self, key: str) -> str:
        """Return where a key of the protocol's entry stands, for messages."""
        return f"descriptive analysis {self.id} key {key}"

    def to_dict(self, cohort: CohortTable) -> dict[str, Any]:
        """Analyse a cohort and return plain JSON values; an analysis that is undefined says why."""
        try:
            description, reason = self.describe(cohort), None
        except UndefinedEstimate as undefined:
            description, reason = Description(), str(undefined)
        return {"id": self.id, "kind": self.kind, "reason": reason, **description.to_dict()}


def estimate_row(
    quantity: str,
    subject: str,
    make: Callable[[], Estimate],
    *,
    n: int,
    events: int,
    group: str | None = None,
    note: str = "",
    horizon: float | None = None,
) -> Row:
    """Return an estimate as a row; an undefined one has value null and says why.

    Args:
        quantity: What is estimated, a name in `validation.descriptive.quantities`.
        subject: Column, prediction or term it is about; two joined by " - " for a difference.
        make: Makes the estimate.
        n: Patients an undefined estimate would have rested on.
        events: Events, or cases, among them.
        group: Part of the cohort; replaces the estimate's own.
        note: Added to the method, for instance who was left out.
        horizon: That of an undefined estimate, if it has one.
    """
    try:
        estimate = asdict(make())
    except UndefinedEstimate as undefined:
        estimate = {
            "value": None,
            "reason": str(undefined),
            "too_few": undefined.too_few,
            "n": n,
            "events": events,
            "group": None,
            "horizon": horizon,
        }
    else:
        estimate["method"] += note
    return {**estimate, "quantity": quantity, "subject": subject, "group": group or estimate["group"]}


def p_value_row(
    quantity: str,
    subject: str,
    make: Callable[[], GroupTest | LogRank],
    *,
    n: int,
    events: int | None = None,
    group: str | None = None,
    note: str = "",
) -> Row:
    """Return a test as a row; an undefined one has P value null and says why; arguments as of `estimate_row`."""
    row: Row = {"quantity": quantity, "subject": subject, "group": group, "n": n, "events": events}
    statistic: float | None
    try:
        test = make()
    except UndefinedEstimate as undefined:
        return {**row, "p_value": None, "reason": str(undefined), "too_few": undefined.too_few}
    if isinstance(test, LogRank):
        statistic, degrees = test.chi_square, [float(test.degrees_of_freedom)]
    else:
        statistic, degrees = test.statistic, list(test.degrees_of_freedom)
    return {
        **row,
        "p_value": test.p_value,
        "statistic": statistic,
        "degrees_of_freedom": degrees,
        "method": test.method + note,
    }


def thinned(values: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
    """Return arrays of one length at no more than 51 evenly spaced places, the first and the last among them."""
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in values.items()}
    size = next(iter(arrays.values())).size
    kept = np.round(np.linspace(0, size - 1, min(size, POINTS))).astype(np.intp)
    return {name: array[kept] for name, array in arrays.items()}


def _rounded(values: ArrayLike) -> list[float | int | None]:
    return [_short(x) for x in np.asarray(values, dtype=np.float64)]


def _short(value: float) -> float | int | None:
    if not np.isfinite(value):
        return None
    return int(value) if value == int(value) else float(f"{value:.{DIGITS}g}")
