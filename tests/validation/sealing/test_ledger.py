"""The exposure ledger: lines that cannot be altered, and sums that cannot be talked down."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.errors import InputError
from validation.sealing.ledger import (
    GENESIS,
    Anchors,
    Entry,
    Ledger,
    add_entry,
    agree,
    parse_ledger,
    read_ledger,
    verify_anchors,
)

TABLES = {"cohort_yaml": "1" * 64, "patients": "2" * 64, "outcomes": "3" * 64}


def entry(**changes: object) -> Entry:
    """An opening."""
    plain = Entry(
        sequence=0,
        previous="",
        kind="opening",
        who="A <a@example.org>",
        when="2026-11-20T10:00:00+00:00",
        protocol="mri",
        lock="a" * 64,
        analysis="b" * 64,
        gates="c" * 64,
        cohort="north",
        synthetic=False,
        tables=TABLES,
        model="m",
        artifact="d" * 64,
        predictions="e" * 64,
        judge="f" * 64,
        alpha=0.025,
        budget=0.5,
        released={"evidence": "0" * 64, "descriptive": "1" * 64},
        estimates={"c": (0.7, 0.6, 0.8), "slope": None},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def ledger_of(*entries: Entry) -> Ledger:
    """A ledger of these."""
    ledger = Ledger()
    for one in entries:
        ledger = ledger.with_entry(one)
    return ledger


def written(ledger: Ledger) -> bytes:
    """Its bytes."""
    return b"".join(one.encode() for one in ledger.entries)


MODELS = [entry(model=f"m{n}", artifact=f"{n}" * 64) for n in range(4)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Chained from zeros; a repeated entry adds nothing, whoever repeats it, whenever."""
    path = tmp_path / "ledger.jsonl"
    for one in MODELS:
        add_entry(path, one)
    again = add_entry(path, replace(MODELS[1], who="B", when="2027-01-01T00:00:00+00:00"))

    ledger = read_ledger(path)
    assert ledger == ledger_of(*MODELS)
    assert ledger.entries[0].previous == GENESIS
    assert [one.sequence for one in ledger.entries] == [1, 2, 3, 4]
    assert (again.sequence, again.who) == (2, MODELS[1].who)
    assert read_ledger(tmp_path / "none.jsonl") == Ledger()


@given(position=st.integers(0, len(written(ledger_of(*MODELS))) - 1), byte=st.integers(1, 255))
def test_no_byte_can_be_changed(position: int, byte: int) -> None:
    """Whichever byte is changed, and into whatever: it is found."""
    content = bytearray(written(ledger_of(*MODELS)))
    content[position] ^= byte

    with pytest.raises(InputError, match="ledger"):
        verify_anchors(parse_ledger(bytes(content), "ledger"), Anchors((written(ledger_of(*MODELS)),)), "ledger")


@given(order=st.permutations(range(4)), kept=st.integers(0, 4))
def test_no_line_can_be_moved_or_cut(order: list[int], kept: int) -> None:
    """Not even by who computes every hash again: git knows the former version."""
    chosen = order[:kept]
    anew = ledger_of(*(MODELS[n] for n in chosen))
    anchors = Anchors((written(ledger_of(*MODELS)),))

    if chosen == list(range(4)):
        verify_anchors(parse_ledger(written(anew), "ledger"), anchors, "ledger")
        return
    with pytest.raises(InputError, match="ledger"):
        verify_anchors(parse_ledger(written(anew), "ledger"), anchors, "ledger")


def test_an_opening_that_is_named_must_be_there_as_it_was() -> None:
    """A verdict names id and content; where the line stands does not matter, so branches can be merged."""
    ledger, moved = ledger_of(*MODELS), ledger_of(*reversed(MODELS))
    named = Anchors(named={"verdict": (MODELS[1].id, MODELS[1].content)})
    verify_anchors(ledger, named, "ledger")
    verify_anchors(moved, named, "ledger")
    cheaper = ledger_of(MODELS[0], replace(MODELS[1], alpha=0.0))
    for other in (cheaper, ledger_of(MODELS[0]), Ledger()):
        with pytest.raises(InputError, match="the opening that verdict rests on"):
            verify_anchors(other, named, "ledger")


def test_an_opening_costs_no_less_than_any_before_it() -> None:
    """Neither at another level nor after openings that cost nothing."""
    free = entry(alpha=0.0, model="internal", artifact="5" * 64)
    ledger = ledger_of(free, entry())

    assert ledger.cost(entry(alpha=0.001, model="new")) == 0.025
    assert ledger.cost(entry(alpha=0.0, model="new")) == 0
    assert ledger.spent(entry(model="new"))[0] == 0.05
    assert ledger.spent(entry(alpha=0.0, model="new"))[0] == 0.025


def test_who_counts_as_the_same_patients() -> None:
    """The same outcomes, the same patients table, or the same name; a synthetic cohort drawn anew is another."""
    other = {"cohort_yaml": "7" * 64, "patients": "8" * 64, "outcomes": "9" * 64}
    ledger = ledger_of(entry())

    def spent(**changes: object) -> float:
        return ledger.spent(entry(**changes))[0]

    assert spent(cohort="renamed", tables={**other, "outcomes": TABLES["outcomes"]}) == 0.025
    assert spent(cohort="renamed", tables={**other, "patients": TABLES["patients"]}) == 0.025
    assert spent(tables=other) == 0.025
    assert spent(cohort="renamed", tables=other) == 0
    drawn = ledger_of(entry(synthetic=True))
    assert drawn.spent(entry(synthetic=True, tables=other))[0] == 0
    assert drawn.spent(entry(synthetic=True))[0] == 0.025


def test_the_smallest_budget_binds() -> None:
    """Nobody raises it afterwards."""
    ledger = ledger_of(entry(budget=0.05))

    assert ledger.spent(entry(budget=0.9, model="other")) == (0.025, 0.05)


def test_agreement() -> None:
    """To 1e-9, value and limits; an estimate more, fewer, or no longer defined is no agreement."""
    first = {"c": (0.7, 0.6, 0.8), "slope": None}

    assert agree(first, {"c": (0.7 + 5e-10, 0.6, 0.8), "slope": None})
    assert not agree(first, {"c": (0.7, 0.6, 0.8 + 2e-9), "slope": None})
    assert not agree(first, {"c": (0.7, 0.6, 0.8)})
    assert not agree(first, {"c": None, "slope": None})
    assert not agree(first, {"c": (0.7, 0.6, 0.8), "slope": (1.0, 0.9, 1.1)})
    assert agree({"x": (1e6, 0.0, 2e6)}, {"x": (1e6 + 1e-4, 0.0, 2e6)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((b'"alpha":0.025', b'"alpha":-1'), "alpha -1"),
        ((b'"alpha":0.025', b'"alpha":true'), "alpha True"),
        ((b'"budget":0.5', b'"budget":"much"'), "budget 'much'"),
        ((b'"cohort":"north",', b""), "keys"),
        ((b"{", b"["), "a malformed line"),
    ],
)
def test_malformed_lines(change: tuple[bytes, bytes], message: str) -> None:
    """Named by file and line."""
    content = written(ledger_of(MODELS[0])).replace(*change, 1)

    with pytest.raises(InputError, match=f"ledger line 1: found .*{message}"):
        parse_ledger(content, "ledger")


def test_two_processes_add_their_lines_one_after_the_other(tmp_path: Path) -> None:
    """As two lanes of `dvc repro` do: every line is there, the chain is whole."""
    path = tmp_path / "ledger.jsonl"
    lines = [entry(model=f"m{n}", artifact=f"{n:064d}") for n in range(24)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(add_entry, [(path, line) for line in lines], chunksize=1)

    assert {one.model for one in read_ledger(path).entries} == {one.model for one in lines}
