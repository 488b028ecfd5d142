"""How long the cohort was followed up: the median by the reverse Kaplan-Meier method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from validation.cohort_table import CohortTable
from validation.descriptive.base import WITH_TIME, Description, Descriptive, estimate_row
from validation.estimators.estimate import Estimate
from validation.estimators.survival.quantiles import median_follow_up

METHOD = (
    "median follow-up by reverse Kaplan-Meier (Schemper and Smith 1996), log-log interval (Brookmeyer and Crowley 1982)"
)


@dataclass(frozen=True, kw_only=True)
class MedianFollowUp(Descriptive):
    """Median time under observation, had nobody had the event.

    Attributes:
        endpoint: With time.
    """

    kind: ClassVar[str] = "follow_up"
    endpoint: str = field(metadata=WITH_TIME)

    def describe(self, cohort: CohortTable) -> Description:
        """Return the median in months with its interval; `events` are those of the endpoint."""
        time, event = cohort.follow_up(self.endpoint)
        events = int(event.sum())

        def make() -> Estimate:
            estimate = median_follow_up(time, event, level=cohort.level).median.estimate()
            return replace(estimate, events=events, method=METHOD)

        return Description((estimate_row("median_follow_up", self.endpoint, make, n=time.size, events=events),))
