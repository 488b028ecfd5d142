"""Missing covariates: what replaces them, in every model that ships."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def known_means(names: Sequence[str], covariates: Array) -> Array:
    """Return the mean (P,) of each covariate's known values.

    Raises:
        ValueError: A covariate does not vary among the patients who have it; names it.
    """
    for name, column in zip(names, covariates.T, strict=True):
        known = column[~np.isnan(column)]
        if len(known) == 0 or known.min() == known.max():
            raise ValueError(f"covariate {name} does not vary among the {len(known)} patients who have it")
    return np.asarray(np.nanmean(covariates, axis=0))
