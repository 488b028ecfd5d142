"""Random numbers by seed and number of the stream: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), compiled.

Every replicate or permutation has a stream of its own, so results do not depend on threads or on how many there are.
"""

from __future__ import annotations

import numpy as np

from validation.estimators.compiled import compiled

STEP = np.uint64(0x9E3779B97F4A7C15)
"""What a stream's state grows by from one number to the next."""


@compiled
def stream(seed: int, number: int) -> np.uint64:
    """Return the first state of a stream: a hash, so that neighbouring streams start far apart."""
    state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(number) * np.uint64(0x2545F4914F6CDD1D)
    for _ in range(3):
        state = (state ^ (state >> np.uint64(32))) * np.uint64(0xDABA0B6EB09322E3)
    return state


@compiled
def output(state: np.uint64) -> np.uint64:
    """Return the 64 random bits of a state."""
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
