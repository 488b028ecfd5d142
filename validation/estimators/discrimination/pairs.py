"""Pairs of patients whose order is known: counted in O(n log n), per patient or for many bootstrap samples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from validation.estimators.compiled import compiled
from validation.estimators.samples import Bools, Floats

Ranks = NDArray[np.int32]
Tree = NDArray[np.int32] | Floats


@dataclass(frozen=True, eq=False)
class Ordered:
    """Patients by ascending follow-up.

    Attributes:
        order: Index of each patient in the arrays given, shape (n,).
        time: Follow-up, ascending.
        event: Event indicator.
        rank: Rank of the prediction from 1, equal where predictions are.
    """

    order: NDArray[np.intp]
    time: Floats
    event: Bools
    rank: Ranks


def dense_ranks(values: Floats) -> Ranks:
    """Return ranks from 1, equal for equal values, without gaps."""
    order = np.argsort(values)
    ascending = values[order]
    ranks = np.empty(values.size, dtype=np.int32)
    ranks[order] = np.cumsum(np.append(True, ascending[1:] > ascending[:-1]))
    return ranks


def ordered(time: Floats, event: Bools, prediction: Floats) -> Ordered:
    """Sort patients by follow-up and rank their predictions."""
    order = np.argsort(time)
    return Ordered(order, time[order], event[order], dense_ranks(prediction)[order])


@compiled
def _add(tree: Tree, equal: Tree, rank: int, amount: float) -> None:
    """Add to one rank: to the Fenwick tree (Fenwick, Softw Pract Exp 1994;24:327) and to the plain sums, given ties."""
    if equal.size:
        equal[rank] += amount
    while rank < tree.size:
        tree[rank] += amount
        rank += rank & -rank


@compiled
def _up_to(tree: Tree, rank: int) -> float:
    """Sum over the ranks from 1 to `rank`."""
    total = tree[0]  # always zero, of the tree's type
    while rank > 0:
        total += tree[rank]
        rank &= rank - 1
    return float(total)


@compiled
def _with_half_ties(tree: Tree, equal: Tree, rank: int) -> float:
    """Sum over the lower ranks and half of this one."""
    total = _up_to(tree, rank)
    return total - equal[rank] / 2 if equal.size else total


@compiled
def _sums(rank: Ranks, ties: int, like: Tree) -> tuple[Tree, Tree]:
    """Empty sums per rank; the plain ones, which cost as much time as the tree, only if ranks are tied."""
    size = rank.max() + 1
    return np.zeros(size, like.dtype), np.zeros(ties * size, like.dtype)


@compiled
def _as_event(time: Floats, event: Bools, rank: Ranks, weight: Tree, pairs: Floats, credit: Floats) -> None:
    """Fill in what each event earns with those followed up longer; the tree holds them, from the last on."""
    tree, equal = _sums(rank, rank.max() < rank.size, rank)
    end = time.size
    while end > 0:
        start = end - 1
        while start > 0 and time[start - 1] == time[end - 1]:
            start -= 1
        followed = time.size - end
        for i in range(start, end):
            if not event[i]:
                _add(tree, equal, rank[i], 1)
                followed += 1
        for i in range(start, end):
            if event[i]:
                pairs[i] = weight[i] * followed
                credit[i] = weight[i] * _with_half_ties(tree, equal, rank[i])
        for i in range(start, end):
            if event[i]:
                _add(tree, equal, rank[i], 1)
        end = start


@compiled
def _as_later(time: Floats, event: Bools, rank: Ranks, weight: Tree, pairs: Floats, credit: Floats) -> None:
    """Add what each patient earns with the earlier events; the tree holds them, from the first on."""
    tree, equal = _sums(rank, rank.max() < rank.size, weight)
    happened = tree[0]
    start = 0
    while start < time.size:
        end = start + 1
        while end < time.size and time[end] == time[start]:
            end += 1
        for i in range(start, end):
            if event[i]:
                pairs[i] += happened
                credit[i] += happened - _with_half_ties(tree, equal, rank[i])
        for i in range(start, end):
            if event[i]:
                _add(tree, equal, rank[i], weight[i])
                happened += weight[i]
        for i in range(start, end):
            if not event[i]:
                pairs[i] += happened
                credit[i] += happened - _with_half_ties(tree, equal, rank[i])
        start = end


def count_pairs(sample: Ordered, weight: Tree | None = None) -> tuple[Floats, Floats]:
    """Count, per patient, the pairs (an event, anyone followed up longer) in either role, and those well ordered.

    An event is comparable with a censoring at the same time, not with another event there; equal predictions earn half
    a pair.

    Args:
        sample: The patients.
        weight: Shape (n,), of the pairs in which each patient is the event; 1 if None.

    Returns:
        pairs, credit: Shape (n,), in the order of `sample`; every pair is counted at both patients.
    """
    weights = np.ones(sample.time.size, dtype=np.int32) if weight is None else weight
    pairs, credit = np.zeros(sample.time.size), np.zeros(sample.time.size)
    _as_event(sample.time, sample.event, sample.rank, weights, pairs, credit)
    _as_later(sample.time, sample.event, sample.rank, weights, pairs, credit)
    return pairs, credit
