"""Patients of a cohort with covariates, predictions and outcomes, and the way in which a protocol names parts of them.

A protocol names a column, or groups patients by one:

    sex                     every category of the schema, in its order
    age_years>=60           two groups; also >, with a number
    grade>=1|2              one group more than numbers, which rise: below 1, from 1 to below 2, from 2 on; also >
    pn_stage=pN1|pN2        two groups: any of these, any other
    lp_mdls                 a prediction with a cut-off in the model's contract: high (at or above it) and low
    tsr_high                a binary endpoint: yes and no
    ypt_stage=ypT0 & ypn_stage=ypN0    two groups: what is of interest in each part, joined by &; and all others
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from validation.cohort import CohortMeta, binary_endpoint, endpoint_in_months
from validation.errors import InputError
from validation.estimators.estimate import UndefinedEstimate
from validation.estimators.samples import Bools, Floats
from validation.schema import Column

_SPLIT = re.compile(r"([A-Za-z0-9_]+)\s*(>=|>)\s*(-?[0-9]+(?:\.[0-9]+)?(?:\|-?[0-9]+(?:\.[0-9]+)?)*)")
_LEVELS = re.compile(r"([A-Za-z0-9_]+)=(.+)")
_OPPOSITE = {">=": "<", ">": "<="}
TILE_TISSUE, TILE_PROBABILITY = "tile_tissue", "tile_probability"  # columns of the predictions, a list per slide
REMEDY = "Correct the protocol, or the column's name in the cohort."


@dataclass(frozen=True, eq=False)
class Groups:
    """Patients by group.

    Attributes:
        labels: Of the groups, in their order; the last of two is the one of interest: high, yes, at or above.
        index: Shape (n,), group of each patient; -1 where it is not known.
    """

    labels: tuple[str, ...]
    index: NDArray[np.intp]

    @property
    def known(self) -> Bools:
        """Shape (n,), whether the patient's group is known."""
        return np.asarray(self.index >= 0)

    def members(self, label: str) -> Bools:
        """Shape (n,), whether the patient belongs to a group."""
        return np.asarray(self.index == self.labels.index(label))

    def names(self, chosen: Bools) -> list[str]:
        """Labels of some patients, whose group must be known."""
        return [self.labels[k] for k in self.index[chosen]]


@dataclass(frozen=True, eq=False)
class CohortTable:
    """The predicted patients of a cohort, in the order of their ids.

    Attributes:
        meta: Of the cohort, for its endpoints.
        columns: Columns of the patient table by name.
        table: One row per patient: covariates, predictions, outcomes.
        predictions: Names of the predictions.
        endpoints: Every endpoint that the model knows; the cohort may lack one.
        cutoffs: By prediction, fixed on the development cohort.
        level: Two-sided confidence level.
        outputs: What the model's contract states of each prediction: its unit and its meaning.
        tiles: Per patient of the whole cohort, those without prediction too, in the order of their ids: patient_id, and
            what the classifier of a model that reads slides says of the tiles that a pathologist has named; None where
            that was not kept. `part` leaves it as it is.
    """

    meta: CohortMeta
    columns: Mapping[str, Column]
    table: pd.DataFrame
    predictions: tuple[str, ...]
    endpoints: tuple[str, ...]
    cutoffs: Mapping[str, float]
    level: float
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tiles: pd.DataFrame | None = None

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.table)

    def part(self, chosen: Bools) -> CohortTable:
        """Return the patients of a mask, shape (n,)."""
        return replace(self, table=self.table[chosen])

    def follow_up(self, endpoint: str) -> tuple[Floats, Bools]:
        """Return months and event indicator of an endpoint with time, both of shape (n,).

        Raises:
            UndefinedEstimate: The cohort never recorded it.
            InputError: The model knows no such endpoint, or its event holds other values than 0 and 1.
        """
        self._require(endpoint)
        if endpoint not in self.meta.endpoints:
            raise UndefinedEstimate(f"the cohort has no endpoint {endpoint}")
        columns = endpoint_in_months(self.meta, endpoint)
        time = self.table[columns.time].to_numpy(dtype=np.float64)
        return time, self._zero_or_one(columns.event, "0 and 1", unknown=False) == 1

    def cases(self, endpoint: str) -> Floats:
        """Return the case indicator of a binary endpoint, shape (n,): 1, 0, or NaN where it is not known.

        Raises:
            UndefinedEstimate: The cohort never recorded it.
            InputError: The model knows no such endpoint, or its column holds other values than 0 and 1.
        """
        self._require(endpoint)
        binary = binary_endpoint(self.meta, endpoint)
        if binary is None:
            raise UndefinedEstimate(f"the cohort has no endpoint {endpoint}")
        return self._zero_or_one(binary.case, "0, 1, or nothing where it is not known", unknown=True)

    def has(self, name: str) -> bool:
        """Whether a name is that of a prediction or of a column of the patients."""
        return name in self.predictions or name in self.columns

    def is_number(self, name: str) -> bool:
        """Whether a name is that of a prediction or of a column of numbers.

        Raises:
            InputError: No such column.
        """
        return name in self.predictions or self._column(name).type in ("number", "integer")

    def numbers(self, name: str) -> Floats:
        """Return a prediction or a column of numbers, shape (n,), NaN where it is not known.

        Raises:
            InputError: No such column, or one that holds no numbers.
        """
        if not self.is_number(name):
            raise InputError(f"protocol of {self.meta.name}", f"{name}, no column of numbers", "numbers", REMEDY)
        return self.table[name].to_numpy(dtype=np.float64)

    def risks(self, name: str) -> Floats:
        """Return a prediction that is a risk or a probability, shape (n,), NaN where it is not known.

        Raises:
            InputError: As `numbers`; the contract gives it a unit, or a value lies outside [0, 1].
        """
        if not self._is_risk(name):
            stated = self.outputs.get(name)
            found = name + (f', by the contract "{stated["meaning"]}", unit {stated["unit"]}' if stated else "")
            if outside := self._outside(name):
                found += f"; {outside} of {self.n} values outside 0 to 1"
            known = ", ".join(other for other in self.predictions if other in self.outputs and self._is_risk(other))
            expected = "a risk or probability" + (f", as of the contract's outputs {known}" if known else "")
            raise InputError(f"protocol of {self.meta.name}", found, expected, REMEDY)
        return self.numbers(name)

    def as_estimators_take_it(self, name: str, of: str) -> Floats:
        """Return a prediction as an estimator takes it, shape (n,), NaN where it is not known.

        Args:
            name: Of the prediction.
            of: What the catalogue says the estimator is of: "any", "risk" or "linear_predictor".

        Raises:
            InputError: As `numbers`; by the contract it is something else.
        """
        stated = self.outputs.get(name)
        wrong = {
            "risk": stated is not None and stated["unit"] != "1",
            "linear_predictor": stated is not None and stated["unit"] == "1" and not self._outside(name),
        }
        if wrong.get(of, False) and stated is not None:
            found = f'{name}, by the contract "{stated["meaning"]}", unit {stated["unit"]}'
            expected = "a risk or probability" if of == "risk" else "a linear predictor"
            raise InputError(f"protocol of {self.meta.name}", found, expected, REMEDY)
        return self.numbers(name)

    def _is_risk(self, name: str) -> bool:
        return self.outputs.get(name, {"unit": "1"})["unit"] == "1" and not self._outside(name)

    def _outside(self, name: str) -> int:
        values = self.numbers(name)
        return int(np.count_nonzero((values < 0) | (values > 1)))

    def numbers_or_groups(self, name: str) -> Floats | Groups:
        """Return a prediction or a column of numbers as it is, and patients by group of any other name.

        Raises:
            UndefinedEstimate: As `groups`.
            InputError: As `groups`.
        """
        return self.numbers(name) if self.has(name) and self.is_number(name) else self.groups(name)

    def cutoff(self, prediction: str) -> float:
        """Return the cut-off of a prediction, fixed on the development cohort.

        Raises:
            InputError: The model's contract has none.
        """
        if prediction not in self.cutoffs:
            found = f"no cut-off of {prediction}"
            raise InputError("contract.json key cutoffs", found, "one", "Name a prediction that has one.")
        return float(self.cutoffs[prediction])

    def groups(self, text: str) -> Groups:
        """Return patients by group, as the module's first lines say.

        Raises:
            UndefinedEstimate: The cohort never recorded the endpoint that groups its patients.
            InputError: No such column, a number without a limit, limits that do not rise, levels unknown to the schema.
        """
        if " & " in text:
            return _all_of([self.two_groups(part) for part in text.split(" & ")])
        if split := _SPLIT.fullmatch(text):
            return self._of_limits(split[1], split[2], [float(limit) for limit in split[3].split("|")])
        if levels := _LEVELS.fullmatch(text):
            return self._of_levels(levels[1], levels[2].split("|"))
        if text in self.endpoints and text not in self.columns:
            cases = self.cases(text)
            return Groups(("no", "yes"), np.where(np.isnan(cases), -1, cases).astype(np.intp))
        if text in self.predictions:
            values = self.numbers(text)
            high = (values >= self.cutoff(text)).astype(np.intp)
            return Groups(("low", "high"), np.where(np.isnan(values), -1, high))
        categories = self._categories(text)
        place = {category: index for index, category in enumerate(categories)}
        return Groups(categories, np.array([place.get(str(v), -1) for v in self.table[text]], dtype=np.intp))

    def two_groups(self, text: str) -> Groups:
        """Return patients in two groups, the last of them the one of interest.

        Raises:
            UndefinedEstimate: As `groups`.
            InputError: As `groups`; another number of groups.
        """
        groups = self.groups(text)
        if len(groups.labels) != 2:
            found = f"{text}, {len(groups.labels)} groups"
            raise InputError(f"protocol of {self.meta.name}", found, f"two groups, as {text}=level makes", REMEDY)
        return groups

    def _of_limits(self, name: str, sign: str, limits: list[float]) -> Groups:
        """Patients between limits; one at a limit belongs above it by ">=", below it by ">"."""
        if any(later <= earlier for earlier, later in pairwise(limits)):
            found = f"{name}{sign}{'|'.join(f'{limit:g}' for limit in limits)}"
            raise InputError(f"protocol of {self.meta.name}", found, "limits that rise", REMEDY)
        values, below = self.numbers(name), _OPPOSITE[sign]
        index = np.searchsorted(limits, values, side="right" if sign == ">=" else "left")
        lower = sign.replace(">", "<")  # of the limit against the value
        between = [f"{low:g} {lower} {name} {below} {high:g}" for low, high in pairwise(limits)]
        labels = (f"{name} {below} {limits[0]:g}", *between, f"{name} {sign} {limits[-1]:g}")
        return Groups(labels, np.where(np.isnan(values), -1, index))

    def _of_levels(self, name: str, levels: list[str]) -> Groups:
        categories = self._categories(name)
        if unknown := [level for level in levels if level not in categories]:
            expected = f"some of {', '.join(categories)}"
            raise InputError(f"protocol of {self.meta.name}", f"{name}={'|'.join(unknown)}", expected, REMEDY)
        cells = self.table[name]
        inside = cells.isin(levels).to_numpy().astype(np.intp)
        others = tuple(category for category in categories if category not in levels)
        return Groups((f"{name} {'|'.join(others)}", f"{name} {'|'.join(levels)}"), np.where(cells.isna(), -1, inside))

    def _categories(self, name: str) -> tuple[str, ...]:
        column = self._column(name)
        if name == "centre":
            return tuple(self.meta.centres)
        if column.categories:
            return tuple(str(category) for category in column.categories)
        if column.type == "text":
            return tuple(sorted({str(value) for value in self.table[name].dropna()}))
        raise InputError(f"protocol of {self.meta.name}", f"groups by {name}", f"{name}>=number", REMEDY)

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            expected = f"a prediction or one of {', '.join(self.columns)}"
            raise InputError(f"protocol of {self.meta.name}", f"no column {name}", expected, REMEDY)
        return self.columns[name]

    def _zero_or_one(self, column: str, expected: str, *, unknown: bool) -> Floats:
        cells = self.table[column]
        if not (cells.isin((0, 1)) | (cells.isna() & unknown)).all():
            where = f"outcomes of {self.meta.name} column {column}"
            raise InputError(where, "other values", expected, "Correct it.")
        return cells.to_numpy(dtype=np.float64)

    def _require(self, endpoint: str) -> None:
        if endpoint not in self.endpoints:
            expected = f"one of {', '.join(self.endpoints)}"
            raise InputError(f"protocol of {self.meta.name}", f"no endpoint {endpoint}", expected, REMEDY)


def _all_of(parts: list[Groups]) -> Groups:
    """Two groups: of interest in every part, or not in one of them; unknown where neither is known."""
    index = np.stack([part.index for part in parts])
    together = np.where((index == 0).any(axis=0), 0, np.where((index < 0).any(axis=0), -1, 1))
    label = " & ".join(part.labels[1] for part in parts)
    return Groups((f"not ({label})", label), together.astype(np.intp))
