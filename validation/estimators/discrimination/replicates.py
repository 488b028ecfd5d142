"""Concordance and AUC of thousands of bootstrap samples: patients are sorted once, samples differ in multiplicities.

Both quantities count pairs of an early and a late patient (an event and anyone followed up longer; a case and a
control) in which the early one has the higher prediction. A list of visits in ascending order of prediction says what
to do at each patient: a late one adds its multiplicity to a running count, an early one earns its own multiplicity
times the count. One walk over the list serves `LANES` bootstrap samples.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.estimators.bootstrap import Counts, Resampling
from validation.estimators.compiled import compiled
from validation.estimators.samples import Bools, Floats

LANES = 64
RESET, HALF, WHOLE, EARN = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)

Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Visits:
    """What to do at which patient.

    Attributes:
        row: Patient, shape (k,); of no meaning at RESET.
        kind: RESET starts a new count; HALF and WHOLE add one or two times the multiplicity to it; EARN takes it.
    """

    row: Indices
    kind: Counts


@compiled
def _visit_tie(order: Indices, early: Bools, late: Bools, row: Indices, kind: Counts, filled: int) -> int:
    """Append the visits of patients with equal predictions: half of the late ones count before the early ones earn."""
    for i in order:
        if late[i]:
            row[filled], kind[filled] = i, HALF
            filled += 1
    for i in order:
        if early[i]:
            row[filled], kind[filled] = i, EARN
            filled += 1
    for i in order:
        if late[i]:
            row[filled], kind[filled] = i, HALF
            filled += 1
    return filled


@compiled
def _visit_level(
    number: Indices, bit: int, event: Bools, rank: Indices, order: Indices, row: Indices, kind: Counts
) -> int:
    """Append the visits of one bit, then sort `order` for the next; return how many visits there are.

    Within each block of patients whose numbers agree above the bit, those with the bit unset are early, the others
    late. `order` holds block after block, each in ascending order of prediction.
    """
    early, late = event & ((number >> bit & 1) == 0), (number >> bit & 1) == 1
    halves = np.empty_like(order)
    filled = start = 0
    while start < order.size:
        end, n_early, n_late = start, 0, 0
        while end < order.size and number[order[end]] >> (bit + 1) == number[order[start]] >> (bit + 1):
            n_early += early[order[end]]
            n_late += late[order[end]]
            end += 1
        if n_early and n_late:
            kind[filled] = RESET
            filled += 1
            i = start
            while i < end:
                patient, j = order[i], i + 1
                while j < end and rank[order[j]] == rank[patient]:
                    j += 1
                if j > i + 1:
                    filled = _visit_tie(order[i:j], early, late, row, kind, filled)
                elif early[patient] or late[patient]:
                    row[filled], kind[filled] = patient, WHOLE if late[patient] else EARN
                    filled += 1
                i = j
        low, high = start, end - n_late
        for k in range(start, end):
            if late[order[k]]:
                halves[high] = order[k]
                high += 1
            else:
                halves[low] = order[k]
                low += 1
        start = end
    order[:] = halves
    return filled


def visits(number: Indices, event: Bools, rank: Indices) -> Visits:
    """List the visits that compare every event with every patient of a higher number, by divide and conquer.

    Two different numbers part at exactly one bit, so each pair is met once: O(n log n) visits.

    Args:
        number: Shape (n,), from 0: an event is comparable with all patients of a higher number.
        event: Shape (n,), who can be the early one.
        rank: Shape (n,), of the predictions.
    """
    order = np.argsort(rank, kind="stable").astype(np.int32)
    rows, kinds = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.uint8)]
    for bit in reversed(range(int(number.max()).bit_length())):
        row, kind = np.zeros(3 * number.size, dtype=np.int32), np.zeros(3 * number.size, dtype=np.uint8)
        filled = _visit_level(number, bit, event, rank, order, row, kind)
        rows.append(row[:filled])
        kinds.append(kind[:filled])
    return Visits(np.concatenate(rows), np.concatenate(kinds))


def pair_visits(number: Indices, event: Bools) -> Visits:
    """List the visits that credit every comparable pair, whatever the predictions: the denominator of `visits`."""
    events = np.flatnonzero(event)
    row = np.concatenate((events, np.arange(number.size))).astype(np.int32)
    kind = np.repeat(np.array([EARN, WHOLE]), [events.size, number.size])
    order = np.lexsort((kind == WHOLE, -number[row]))
    return Visits(row[order], kind[order])


@compiled
def _walk(row: Indices, kind: Counts, multiplicity: Counts, drawn: int, credit: NDArray[np.uint64]) -> None:
    """Add to `credit`, shape (LANES,), twice the credited pairs of each lane of `multiplicity`, shape (n, LANES).

    `drawn` is the largest number of rows that a lane holds. The loops over lanes are written out: as calls or array
    expressions they take ten times as long.
    """
    count, earned = np.zeros(LANES, np.uint32), np.zeros(LANES, np.uint32)
    safe = 2**31 // (np.int64(multiplicity.max()) * 2 * drawn + 1)  # terms that fit 32 bits together
    pending = 0
    for visit in range(row.size):
        weight, times = multiplicity[np.uint32(row[visit])], np.uint32(kind[visit])
        if times == EARN:
            for lane in range(LANES):
                earned[lane] += np.uint32(weight[lane]) * count[lane]
            pending += 1
            if pending >= safe:
                for lane in range(LANES):
                    credit[lane] += earned[lane]
                    earned[lane] = 0
                pending = 0
        elif times == RESET:
            for lane in range(LANES):
                count[lane] = 0
        else:
            for lane in range(LANES):
                count[lane] += times * np.uint32(weight[lane])
    for lane in range(LANES):
        credit[lane] += earned[lane]


def replicated_credit(
    listed: list[Visits], plan: Resampling, order: NDArray[np.intp] | None = None, *, threads: int = 1
) -> Floats:
    """Return twice the pairs that each list of visits credits in every bootstrap sample, shape (replicates, lists).

    Args:
        listed: Lists of visits over the same patients.
        plan: The bootstrap.
        order: Shape (n,), which row of the bootstrap each patient of the lists is; the same if None.
        threads: Chunks of samples run side by side; the result does not depend on it.
    """

    def chunk(first: int) -> Floats:
        lanes = min(LANES, plan.replicates - first)
        drawn = np.zeros((LANES, plan.n), dtype=np.uint8)
        for lane in range(lanes):
            drawn[lane] = plan.counts(first + lane)
        rows = (
            plan.n if plan.cluster is None else int(drawn.sum(axis=1, dtype=np.int64).max())
        )  # clusters differ in size
        multiplicity = np.ascontiguousarray(drawn.T)
        if order is not None:
            multiplicity = np.take(multiplicity, order, axis=0)
        credit = np.zeros((len(listed), LANES), dtype=np.uint64)
        for visited, sums in zip(listed, credit, strict=True):
            _walk(visited.row, visited.kind, multiplicity, rows, sums)
        return credit[:, :lanes].T.astype(np.float64)

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(chunk, range(0, plan.replicates, LANES))))


def share(credit: Floats, pairs: Floats) -> Floats:
    """Return credit / pairs, NaN where a bootstrap sample has no pair."""
    result = np.full(credit.size, np.nan)
    np.divide(credit, pairs, out=result, where=pairs > 0)
    return result
