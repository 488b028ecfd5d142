"""What a descriptive analysis is: declared in the protocol, made of the shared estimators, shown and never gated."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from validation.cohort import binary_endpoint
from validation.cohort_table import REMEDY, CohortTable
from validation.errors import InputError
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.estimators.groups.group_test import GroupTest
from validation.estimators.survival.log_rank import LogRank
from validation.outcomes import outcome_of

DIGITS = 4  # significant digits of figure data but counts; estimates and P values are written in full
POINTS = 51  # at most, of one line
Row = dict[str, Any]
Name = tuple[str, str, Callable[[CohortTable, str], object]]
"""Key of a protocol's entry, name that stands there, and what a cohort must be able to make of that name."""

HORIZON_WHERE = "a horizon in months where the endpoint has a time, and only there"

# Metadata of the fields that hold such names
WITH_TIME = {"look_up": CohortTable.follow_up}
ENDPOINT = {"look_up": outcome_of}
GROUPS = {"look_up": CohortTable.groups}
TWO_GROUPS = {"look_up": CohortTable.two_groups}
NUMBERS = {"look_up": CohortTable.numbers}
NUMBERS_OR_GROUPS = {"look_up": CohortTable.numbers_or_groups}
RISKS = {"look_up": CohortTable.risks}
CLASSES = {"look_up": lambda cohort, name: (cohort.numbers(name), cohort.cutoff(name))}


class EntryError(InputError):
    """What a protocol's entry asks for cannot be; `key` is the one that asks."""

    def __init__(self, key: str, where: str, found: str, expected: str) -> None:
        """Compose the message; see `InputError`."""
        super().__init__(where, found, expected, REMEDY)
        self.key = key


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
    out. Columns are named as `CohortTable` names them; the metadata of a field that holds such names says what of.

    Attributes:
        kind: Name in the protocol.
        horizon_key: Key that an endpoint with time must have and a binary one must not, if the kind has one.
        horizons_repeat: Whether a horizon may be given twice, because each belongs to a prediction.
        id: Name of this analysis in protocol and evidence.
    """

    kind: ClassVar[str]
    horizon_key: ClassVar[str | None] = None
    horizons_repeat: ClassVar[bool] = False
    id: str

    def __post_init__(self) -> None:
        """Refuse a horizon that is no time after the origin, or is given twice."""
        for key in (field.name for field in fields(self) if "horizon" in field.name):
            given = getattr(self, key)
            horizons = given if isinstance(given, tuple) else () if given is None else (given,)
            if not all(0 < horizon < math.inf for horizon in horizons):
                raise self.error(key, str(given), "positive numbers of months")
            if len(set(horizons)) != len(horizons) and not self.horizons_repeat:
                raise self.error(key, str(list(horizons)), "every horizon once")

    def check_endpoint(self, with_time: Sequence[str], binary: Sequence[str]) -> None:
        """Refuse an endpoint of a kind that the analysis cannot look at, when the protocol is read.

        Args:
            with_time: The protocol's endpoints with time.
            binary: The others; `endpoint` is one of either.

        Raises:
            EntryError: Names the key.
        """
        asked = next((field for field in fields(self) if field.name == "endpoint"), None)
        if asked is None:
            return
        endpoint = getattr(self, asked.name)
        if asked.metadata == WITH_TIME and endpoint in binary:
            expected = f"for {self.kind} an endpoint with time: {', '.join(with_time) or 'there is none'}"
            raise self.error("endpoint", f"{endpoint}, a binary endpoint", expected)
        if self.horizon_key is not None and (getattr(self, self.horizon_key) is None) != (endpoint in binary):
            found = "is binary, with a horizon" if endpoint in binary else "has a time, without horizon"
            raise self.error(self.horizon_key, f"{endpoint}, which {found}", HORIZON_WHERE)

    @abstractmethod
    def describe(self, cohort: CohortTable) -> Description:
        """Analyse a cohort.

        Raises:
            UndefinedEstimate: The cohort cannot define any of it, for instance because it lacks the endpoint. What is
                undefined for a part of it is a row with the reason.
            InputError: A column does not exist or is of another type.
        """

    def names(self, cohort: CohortTable) -> Iterator[Name]:
        """Yield every name in the entry that a cohort must know: those of the fields, and what a kind adds."""
        for field in fields(self):
            given = getattr(self, field.name)
            if "look_up" in field.metadata and given is not None:
                for name in given if isinstance(given, tuple) else (given,):
                    yield field.name, name, field.metadata["look_up"]

    def check(self, cohort: CohortTable, protocol: Path) -> None:
        """Refuse names of which the cohort, or the model's contract, knows nothing, before anything is computed.

        Raises:
            InputError: Names protocol, analysis and key.
        """
        if getattr(self, "endpoint", None) in cohort.meta.endpoints:
            binary = [name for name in cohort.meta.endpoints if binary_endpoint(cohort.meta, name)]
            try:
                self.check_endpoint([name for name in cohort.meta.endpoints if name not in binary], binary)
            except EntryError as error:
                where = f"{protocol} {error.where} ({cohort.meta.name})"
                raise InputError(where, error.found, error.expected, error.remedy) from error
        for key, name, look_up in self.names(cohort):
            try:
                look_up(cohort, name)
            except UndefinedEstimate:
                continue  # the analysis will say so
            except InputError as error:
                where = f"{protocol} {self.where(key)} ({error.where})"
                raise InputError(where, error.found, error.expected, error.remedy) from error

    def where(self, key: str) -> str:
        """Return where a key of the protocol's entry stands, for messages."""
        return f"descriptive analysis {self.id} key {key}"

    def error(self, key: str, found: str, expected: str) -> EntryError:
        """Return an error that names the analysis and the key."""
        return EntryError(key, self.where(key), found, expected)

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
