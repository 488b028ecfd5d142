"""One generator per patient and purpose, so that nothing depends on how many processes work or in which order."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd


def patient_generator(seed: int, cohort: str, patient: int, purpose: str) -> np.random.Generator:
    """Return the generator of one patient (0-based position in the cohort) for one purpose, for instance "anatomy"."""
    return np.random.default_rng([seed, crc32(cohort.encode()), patient, crc32(purpose.encode())])


def standard_normals(seed: int, cohort: str, n: int, purpose: str, names: Sequence[str]) -> pd.DataFrame:
    """Draw independent standard normals: one row per patient (n), one column per name.

    All variables of the tables are functions of these; a name added at the end leaves the others as they were.
    """
    rows = [patient_generator(seed, cohort, patient, purpose).standard_normal(len(names)) for patient in range(n)]
    return pd.DataFrame(np.array(rows), columns=list(names))
