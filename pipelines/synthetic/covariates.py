"""Covariates as functions of standard normals, so that each has its published distribution."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]


def blend(correlation: float, shared: Array, own: Array) -> Array:
    """Return standard normals that correlate with `shared`."""
    return np.asarray(correlation * shared + sqrt(1 - correlation**2) * own)


def category(normal: Array, counts: Mapping[str, float]) -> NDArray[np.str_]:
    """Cut standard normals so that each category has its share of the counts."""
    upper = np.cumsum(list(counts.values())) / sum(counts.values())
    return np.array(list(counts))[np.searchsorted(upper[:-1], ndtr(normal), side="right")]


def known(normal: Array, unknown_share: float) -> tuple[Array, NDArray[np.bool_]]:
    """Split standard normals into the value's own (standard normal again) and whether the value is known.

    Args:
        normal: Standard normals, shape (n,).
        unknown_share: Probability of an unknown value, completely at random.
    """
    uniform = ndtr(normal)
    is_known = uniform < 1 - unknown_share
    upper = (uniform - (1 - unknown_share)) / max(unknown_share, 1e-9)
    return np.asarray(ndtri(np.where(is_known, uniform / (1 - unknown_share), upper))), is_known


def lognormal_above(normal: Array, share: float, threshold: float, log_sd: float) -> Array:
    """Return lognormal values to one decimal, above the threshold with the given probability."""
    log_mean = log(threshold + 0.05) + log_sd * float(ndtri(share))  # 0.05 above it is written as 0.1 above it
    return np.asarray(np.round(np.exp(log_mean + log_sd * normal), 1))


def lognormal(normal: Array, mean: float, sd: float) -> Array:
    """Return lognormal values with this mean and standard deviation."""
    log_sd = sqrt(log(1 + (sd / mean) ** 2))
    return np.asarray(mean * exp(-(log_sd**2) / 2) * np.exp(log_sd * normal))
