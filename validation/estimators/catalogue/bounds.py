"""The range of every estimator's value, whatever the kind of endpoint: a figure outside it cannot be."""

from __future__ import annotations

from validation.estimators.catalogue.binary import BINARY
from validation.estimators.catalogue.survival import SURVIVAL

BOUNDS: dict[str, tuple[float, float]] = {name: entry.bounds for name, entry in BINARY.items()}
BOUNDS.update((name, entry.bounds) for name, entry in SURVIVAL.items())
