"""What the gates on estimates share: find the estimate, compare its interval, say what would settle the matter."""

from __future__ import annotations

from dataclasses import fields, replace

from validation.estimators.centres.between import between_centres
from validation.estimators.estimate import Estimate, UndefinedEstimate
from validation.gates.base import POOLED, Answer, Case, Document, GateSpec, Limit, Needed, State
from validation.gates.provenance import evidence_problem

_FIELDS = tuple(field.name for field in fields(Estimate))


def judge_estimate(spec: GateSpec, case: Case) -> list[Answer]:
    """Compare the declared estimate with its limit on every cohort the gate looks at, or the summary over all."""
    if spec.cohort == POOLED:
        return [_judge_pooled(spec, case)]
    return [_judge_cohort(spec, case, cohort) for cohort in case.cohorts_of(spec)]


def _judge_cohort(spec: GateSpec, case: Case, cohort: str) -> Answer:
    entry = _entry(spec, case, cohort)
    if isinstance(entry, str):
        return Answer(cohort, State.FAIL, entry)
    if entry["value"] is None:
        return _undefined(spec, cohort, entry)
    estimate = _estimate(case, entry)
    return (
        Answer(cohort, State.FAIL, estimate) if isinstance(estimate, str) else _judge_interval(spec, cohort, estimate)
    )


def _judge_pooled(spec: GateSpec, case: Case) -> Answer:
    """Judge the random-effects summary of the external cohorts; one that cannot be pooled is never left out."""
    estimates: list[Estimate] = []
    for cohort in case.external:
        entry = _entry(spec, case, cohort)
        if not isinstance(entry, str) and entry["value"] is None:
            entry = f"undefined: {entry['reason']}"
        estimate = entry if isinstance(entry, str) else _estimate(case, entry)
        if isinstance(estimate, str):
            return Answer(POOLED, State.FAIL, f"{cohort}: {estimate}")
        estimates.append(replace(estimate, group=cohort))
    scales = {estimate.scale for estimate in estimates}
    scale = estimates[0].scale
    if len(scales) > 1 or scale == "log_log":
        return Answer(POOLED, State.FAIL, f"intervals symmetric on {', '.join(sorted(scales))}: no scale to pool on")
    try:
        summary = between_centres(estimates, scale, level=case.level).summary
    except UndefinedEstimate as undefined:
        return Answer(POOLED, State.FAIL, f"undefined: {undefined}")
    method = f"{summary.method}, over {', '.join(case.external)}"
    return _judge_interval(spec, POOLED, replace(summary, method=method))


def _entry(spec: GateSpec, case: Case, cohort: str) -> Document | str:
    """Return what the evidence on a cohort says of the estimate, or why it says nothing."""
    problem = evidence_problem(case, cohort)
    evidence = case.evidence.get(cohort)
    if problem or evidence is None:
        return problem or "no evidence"
    found = next((entry for entry in evidence["estimates"] if entry["id"] == spec.estimate), None)
    return f"the evidence holds no estimate {spec.estimate}" if found is None else found


def _estimate(case: Case, entry: Document) -> Estimate | str:
    """Return a defined estimate, or why it cannot be one."""
    try:
        estimate = Estimate(**{name: entry[name] for name in _FIELDS})
    except UndefinedEstimate as undefined:
        return f"the evidence holds an impossible estimate: {undefined}"
    if estimate.level != case.level:
        return f"the interval is at level {estimate.level}, the protocol says {case.level}"
    return estimate


def _undefined(spec: GateSpec, cohort: str, entry: Document) -> Answer:
    minimum, n, events = spec.minimum_events or 0, int(entry["n"]), int(entry["events"])
    reason = f"undefined: {entry['reason']}"
    if entry["too_few"] is True and events < minimum:
        needed = Needed(minimum, _patients(n, events, minimum))
        reason = f"{reason} ({events} events, fewer than the {minimum} the protocol asks for)"
        return Answer(cohort, State.INCONCLUSIVE, reason, n=n, events=events, needed=needed)
    return Answer(cohort, State.FAIL, reason, n=n, events=events)


def _judge_interval(spec: GateSpec, cohort: str, estimate: Estimate) -> Answer:
    limit, minimum = _limit(spec), spec.minimum_events or 0
    state = limit.state(estimate.lower, estimate.upper)
    total: int | None = estimate.events
    if state is State.INCONCLUSIVE:  # more events narrow no spread between centres
        total = None if cohort == POOLED else limit.events_needed(estimate)
    reason = {
        State.PASS: "the whole interval is within the limit",
        State.FAIL: "the whole interval is beyond the limit",
        State.INCONCLUSIVE: "the interval holds values on both sides of the limit",
    }[state]
    if estimate.events < minimum:
        state = State.INCONCLUSIVE
        total = max(minimum, total) if total is not None else None
        reason = f"{estimate.events} events, fewer than the {minimum} the protocol asks for; {reason}"
    needed = None
    if state is State.INCONCLUSIVE:
        needed = Needed(total, _patients(estimate.n, estimate.events, total))
    return Answer(
        cohort=cohort,
        state=state,
        reason=reason,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        level=estimate.level,
        n=estimate.n,
        events=estimate.events,
        method=estimate.method,
        needed=needed,
    )


def _limit(spec: GateSpec) -> Limit:
    if spec.limit is None:
        raise TypeError(f"gate {spec.id} has no limit")
    return spec.limit


def _patients(n: int, events: int, events_needed: int | None) -> int | None:
    """Patients that would bring the events, at the event rate seen so far."""
    return -(-n * events_needed // events) if events and events_needed is not None else None
