"""A proportion with its exact interval."""

from __future__ import annotations

from scipy.special import betaincinv

from validation.estimators.estimate import Estimate, UndefinedEstimate


def exact_limits(events: float, n: float, level: float) -> tuple[float, float]:
    """Return the Clopper-Pearson limits of `events / n`; non-integer counts interpolate.

    Args:
        events: 0 to `n`.
        n: Trials, > 0.
        level: Two-sided confidence level.
    """
    tail = (1 - level) / 2
    lower = float(betaincinv(events, n - events + 1, tail)) if events > 0 else 0.0
    upper = float(betaincinv(events + 1, n - events, 1 - tail)) if events < n else 1.0
    return lower, upper


def proportion_exact(events: int, n: int, *, level: float = 0.95) -> Estimate:
    """Estimate a proportion with its exact interval (Clopper and Pearson, Biometrika 1934;26:404); R's binom.test.

    Args:
        events: Patients with the property.
        n: Patients.
        level: Two-sided confidence level.

    Raises:
        UndefinedEstimate: No patient, or more events than patients.
    """
    if n < 1 or not 0 <= events <= n:
        raise UndefinedEstimate(f"{events} of {n} patients is no proportion")
    lower, upper = exact_limits(events, n, level)
    return Estimate(events / n, lower, upper, level, n, events, "proportion, exact interval (Clopper-Pearson 1934)")


def patients_to_settle(share: float, limit: float, level: float, n: int) -> int | None:
    """Return how many patients in all bring the exact interval to one side of the limit, if the share stays.

    Args:
        share: Proportion seen.
        limit: Limit it is compared with.
        level: Two-sided confidence level.
        n: Patients so far, with whom the interval holds the limit.

    Returns:
        The number, to within one patient, or None where the share lies on the limit.
    """

    def settled(patients: int) -> bool:
        lower, upper = exact_limits(share * patients, patients, level)
        return upper <= limit or lower > limit

    few, enough = n, 2 * n
    while not settled(enough):
        few, enough = enough, 2 * enough
        if enough > 1_000_000 * n:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if settled(middle) else (middle, enough)
    return enough
