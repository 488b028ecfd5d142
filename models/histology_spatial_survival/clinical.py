"""The clinical risk score of colorectal liver metastases (Fong, Ann Surg 1999;230:309) and the combined grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.histology_spatial_survival import CRS_CUTOFF, CRS_FACTORS
from models.spec import PreprocessingError

Array = NDArray[np.float64]

INTERVAL_BELOW_MONTHS = 12
METASTASES_ABOVE = 1
DIAMETER_ABOVE_CM = 5.0
CEA_ABOVE_NG_ML = 200.0
NODES = {"pN0": 0.0, "pN1": 1.0, "pN2": 1.0}
SYNCHRONOUS = {"no": 0.0, "yes": 1.0}


def encode_factors(row: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the five factors `CRS_FACTORS` of one patient as 1 = yes, 0 = no, NaN = missing.

    Metastases found together with the primary have no disease-free interval: a missing one is below 12 months then.

    Args:
        row: Columns `CRS_COLUMNS` of the patient table; None or NaN = missing.

    Raises:
        PreprocessingError: A category or number that the schema does not know, or synchronous metastases after 12
            months or more.
    """
    interval = _number(row, "disease_free_interval_months", 0.0)
    early = np.nan if np.isnan(interval) else float(interval < INTERVAL_BELOW_MONTHS)
    if _category(row, "synchronous", SYNCHRONOUS) == 1:
        if early == 0:
            found = f"found yes with a disease-free interval of {interval:g} months"
            raise PreprocessingError(f"synchronous: {found}, expected less than {INTERVAL_BELOW_MONTHS}")
        early = 1.0
    factors = {
        "node_positive": _category(row, "pn_stage", NODES),
        "interval_below_12m": early,
        "several_metastases": _above(_number(row, "metastases", 1.0), METASTASES_ABOVE),
        "diameter_above_5cm": _above(_number(row, "largest_diameter_cm", 0.0), DIAMETER_ABOVE_CM),
        "cea_above_200": _above(_number(row, "cea_ng_ml", 0.0), CEA_ABOVE_NG_ML),
    }
    return np.array([factors[name] for name in CRS_FACTORS], dtype=np.float32)


def known_score(factors: NDArray[Any]) -> Array:
    """Return the score (N,), 0 to 5, of factors (N, 5); NaN where a factor is missing."""
    return np.asarray(np.asarray(factors, dtype=np.float64).sum(axis=1))


def expected_score(factors: NDArray[Any], prevalence: NDArray[Any]) -> Array:
    """Return the score (N,) where a missing factor counts as its prevalence (5,) in development.

    What ships uses this one: the road refuses a patient with an output that is not a number, and a patient without CEA
    still has a spatial organisation score. Who lacks a factor is counted with the predictions.
    """
    return np.asarray(np.where(np.isnan(factors), prevalence, factors).sum(axis=1), dtype=np.float64)


def combined_grade(sof_high: NDArray[np.bool_], crs: Array) -> Array:
    """Return 0 low, 1 medium, 2 high (N,): a point each for a high spatial organisation and a high clinical score.

    Args:
        sof_high: (N,) whether the linear predictor lies at or above its cut-off.
        crs: (N,) score; NaN = missing, and so is the grade.
    """
    return np.where(np.isnan(crs), np.nan, sof_high.astype(np.float64) + (crs >= CRS_CUTOFF))


def prevalences(factors: NDArray[Any]) -> Array:
    """Return the share (5,) of patients with each factor among those of whom it is known.

    Raises:
        ValueError: A factor is known of nobody; names it.
    """
    unknown = [name for name, column in zip(CRS_FACTORS, factors.T, strict=True) if np.isnan(column).all()]
    if unknown:
        raise ValueError(f"clinical risk score: {', '.join(unknown)} known of none of {len(factors)} patients")
    return np.asarray(np.nanmean(np.asarray(factors, dtype=np.float64), axis=0))


def _above(value: float, limit: float) -> float:
    return np.nan if np.isnan(value) else float(value > limit)


def _missing(value: Any) -> bool:
    """Return whether a cell is empty: anything but text or a number, such as None or pandas.NA, and NaN."""
    if isinstance(value, str):
        return False
    return not isinstance(value, (int, float, np.number)) or bool(np.isnan(value))


def _number(row: Mapping[str, Any], column: str, least: float) -> float:
    value = row[column]
    if _missing(value):
        return float("nan")
    if isinstance(value, str) or not least <= value < np.inf:
        raise PreprocessingError(f"{column}: found {value!r}, expected a number, {least:g} or more")
    return float(value)


def _category(row: Mapping[str, Any], column: str, known: Mapping[str, float]) -> float:
    value = row[column]
    if _missing(value):
        return float("nan")
    if value not in known:
        raise PreprocessingError(f"{column}: found {value!r}, expected one of {', '.join(known)}")
    return known[value]
