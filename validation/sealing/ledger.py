"""The exposure ledger: one line for every time that outcomes were opened. Lines are only ever added.

Every line is JSON and holds the hash of the line before it, so that none can be altered, removed or moved without
breaking those behind it. What was cut off at the end, or written anew, is found against an anchor: a version of the
ledger in git, or an opening that a verdict names.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import IO, Any

from validation.digests import json_sha256
from validation.errors import InputError

GENESIS = "0" * 64
TOLERANCE = 1e-9
OPENING, REANALYSIS = "opening", "re-analysis"
_RESTORE = "Restore the ledger from git; its lines are never edited, moved or removed."
Figures = Mapping[str, tuple[float, float, float] | None]


@dataclass(frozen=True)
class Entry:
    """One opening of one cohort's outcomes for one model.

    Attributes:
        sequence: Number of the line, from 1.
        previous: Hash of the line before; zeros in the first.
        kind: "opening", or "re-analysis": a changed judge with model, predictions, plan and patients as before.
        who: Name and address as git knows them, or the account.
        when: UTC, ISO 8601, seconds.
        protocol: Architecture whose protocol asked.
        lock: Digest of the lock.
        analysis: Digest of estimates and descriptive analyses.
        gates: Digest of the gates in force.
        cohort: Name of the cohort.
        synthetic: Whether its patients are synthetic.
        tables: Digests of cohort_yaml, patients and outcomes.
        model: Entry of params.yaml.
        artifact: Digest of the folder that ships.
        predictions: Digest of the predictions.
        judge: Digest of the judge's sources.
        alpha: Probability of a false PASS that this opening spends.
        budget: What the protocol allows all openings of the cohort to spend.
        released: Digests of the two documents that were written.
        estimates: Value, lower and upper limit by id; None where undefined.
    """

    sequence: int
    previous: str
    kind: str
    who: str
    when: str
    protocol: str
    lock: str
    analysis: str
    gates: str
    cohort: str
    synthetic: bool
    tables: Mapping[str, str]
    model: str
    artifact: str
    predictions: str
    judge: str
    alpha: float
    budget: float
    released: Mapping[str, str]
    estimates: Figures

    @property
    def id(self) -> str:
        """Digest of what was asked of whom: equal for a repeated run."""
        return json_sha256({**self.question, "judge": self.judge})

    @property
    def question(self) -> dict[str, Any]:
        """What was asked of whom, whoever judged."""
        return {
            "analysis": self.analysis,
            "tables": dict(self.tables),
            "artifact": self.artifact,
            "predictions": self.predictions,
        }

    @property
    def hash(self) -> str:
        """Hash that the next line holds."""
        return json_sha256(_plain(self))

    @property
    def content(self) -> str:
        """Digest of what was opened and released, wherever the line stands and whoever was first to ask."""
        return json_sha256({key: value for key, value in _plain(self).items() if key not in _PLACE})

    def encode(self) -> bytes:
        """Return the line."""
        document = {**_plain(self), "id": self.id, "hash": self.hash}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


_PLACE = ("sequence", "previous", "who", "when")
_TABLES = frozenset(("cohort_yaml", "patients", "outcomes"))


def same_patients(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two openings, as mappings with cohort, synthetic and tables, are of the same patients.

    The same outcomes or patients table, or the same name; a synthetic cohort drawn anew keeps its name and counts as
    other patients.
    """
    tables = any(first["tables"][table] == second["tables"][table] for table in ("patients", "outcomes"))
    named = first["cohort"] == second["cohort"] and not (first["synthetic"] and second["synthetic"])
    return tables or named


def _plain(entry: Entry) -> dict[str, Any]:
    figures = {name: None if figure is None else list(figure) for name, figure in entry.estimates.items()}
    return {**asdict(entry), "estimates": figures}


@dataclass(frozen=True)
class Ledger:
    """Every opening so far.

    Attributes:
        entries: First to last.
    """

    entries: tuple[Entry, ...] = ()

    @property
    def head(self) -> str:
        """Hash of the last line."""
        return self.entries[-1].hash if self.entries else GENESIS

    def find(self, entry_id: str) -> Entry | None:
        """Return the entry with an id."""
        return next((entry for entry in self.entries if entry.id == entry_id), None)

    def with_entry(self, entry: Entry) -> Ledger:
        """Return the ledger with one more line, numbered and chained; nothing is written."""
        return Ledger((*self.entries, replace(entry, sequence=len(self.entries) + 1, previous=self.head)))

    def first_on(self, entry: Entry) -> Entry | None:
        """Return the first opening of the entry's patients by its protocol, of whichever model."""
        return next((known for known in self.on_cohort(entry) if known.protocol == entry.protocol), None)

    def together(self, others: Iterable[Ledger]) -> Ledger:
        """Return the ledger with the entries of others that it lacks, to count them; nothing is written."""
        ledger, ids = self, {entry.id for entry in self.entries}
        for entry in (entry for other in others for entry in other.entries):
            if entry.id not in ids:
                ledger, ids = ledger.with_entry(entry), ids | {entry.id}
        return ledger

    def latest(self, question: Mapping[str, Any]) -> Entry | None:
        """Return the last entry that asked the same of the same, whoever judged."""
        return next((entry for entry in reversed(self.entries) if entry.question == question), None)

    def on_cohort(self, entry: Entry) -> tuple[Entry, ...]:
        """Return the entries on the same patients, see `same_patients`."""
        return tuple(known for known in self.entries if same_patients(vars(known), vars(entry)))

    def spent(self, entry: Entry) -> tuple[float, float]:
        """Return what the openings of the entry's cohort have spent, and the smallest budget that was stated.

        An opening that cost less than this one does (as internal cohort, at another level) counts as much as this one:
        whatever was seen then can decide what is asked now.
        """
        known = self.on_cohort(entry)
        spent = sum(max(one.alpha, entry.alpha) if one.kind == OPENING else one.alpha for one in known)
        return spent, min([entry.budget, *(one.budget for one in known if one.alpha > 0)])

    def cost(self, entry: Entry) -> float:
        """Return what an opening costs: no less than any before it on the same patients."""
        return max([entry.alpha, *(one.alpha for one in self.on_cohort(entry))]) if entry.alpha else 0.0


def read_ledger(path: Path) -> Ledger:
    """Read a ledger; there is none before the first opening.

    Raises:
        InputError: A line is malformed, altered, missing or out of order.
    """
    try:
        return parse_ledger(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Ledger()
    except OSError as error:
        raise InputError(str(path), f"no ledger ({error.strerror})", "a ledger that can be read", _RESTORE) from error


def parse_ledger(content: bytes, where: str) -> Ledger:
    """Read a ledger from its bytes.

    Raises:
        InputError: As `read_ledger`.
    """
    entries: list[Entry] = []
    head = GENESIS
    lines = content.split(b"\n")
    if lines.pop():
        raise InputError(f"{where} line {len(lines) + 1}", "a line without an end", "a whole line", _RESTORE)
    for number, line in enumerate(lines, start=1):
        entry = _entry(line, f"{where} line {number}")
        if entry.encode() != line + b"\n":
            raise InputError(f"{where} line {number}", "a line that was altered", "the line as written", _RESTORE)
        if (entry.sequence, entry.previous) != (number, head):
            found = f"entry {entry.sequence}, which follows {entry.previous[:12]}"
            expected = f"entry {number}, which follows {head[:12]}"
            raise InputError(f"{where} line {number}", found, expected, _RESTORE)
        entries.append(entry)
        head = entry.hash
    return Ledger(tuple(entries))


def _entry(line: bytes, where: str) -> Entry:
    try:
        raw = json.loads(line)
        names = {attribute.name for attribute in fields(Entry)}
        if set(raw) != names | {"id", "hash"}:
            raise ValueError(f"keys {sorted(raw)}")
        if not all(type(raw[key]) in (int, float) and 0 <= raw[key] < 1 for key in ("alpha", "budget")):
            raise ValueError(f"alpha {raw['alpha']!r}, budget {raw['budget']!r}")
        texts = [name for name, hint in Entry.__annotations__.items() if hint == "str"]
        if not all(isinstance(raw[name], str) for name in texts) or type(raw["synthetic"]) is not bool:
            raise ValueError("a value of another type")
        if set(raw["tables"]) != _TABLES or raw["kind"] not in (OPENING, REANALYSIS):
            raise ValueError(f"tables {sorted(raw['tables'])}, kind {raw['kind']}")
        figures = {name: None if figure is None else tuple(figure) for name, figure in raw["estimates"].items()}
        return Entry(**{**{name: raw[name] for name in names}, "estimates": figures})
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(where, f"a malformed line ({error})", "an entry as written", _RESTORE) from error


@contextmanager
def locked_ledger(path: Path) -> Iterator[IO[bytes]]:
    """Hold the ledger alone, open for adding lines.

    Raises:
        InputError: It cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        expected = "a ledger that can be written to: outcomes are not opened where no line can be kept"
        raise InputError(
            str(path), str(error.strerror), expected, "Make it writable, or evaluate elsewhere."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def add_entry(path: Path, entry: Entry) -> Entry:
    """Add a line, unless the ledger has one with the same id; the line is on disk when this returns.

    Returns:
        The entry as it stands in the ledger.

    Raises:
        InputError: The ledger is damaged or cannot be written to.
    """
    with locked_ledger(path) as file:
        ledger = read_ledger(path)
        return ledger.find(entry.id) or append(file, path, ledger, entry)


def append(file: IO[bytes], path: Path, ledger: Ledger, entry: Entry) -> Entry:
    """Write a line to a ledger that is held; it is on disk when this returns, or not there at all.

    Args:
        file: What `locked_ledger` yields.
        path: Its path, for messages.
        ledger: Its content.
        entry: The entry.

    Raises:
        InputError: The disk is full, or fails.
    """
    kept = ledger.with_entry(entry).entries[-1]
    size = os.fstat(file.fileno()).st_size
    try:
        file.write(kept.encode())
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        os.ftruncate(file.fileno(), size)
        remedy = "Make room; nothing was released."
        raise InputError(str(path), str(error.strerror), "a line that can be kept", remedy) from error
    return kept


@dataclass(frozen=True)
class Anchors:
    """What is known of the ledger elsewhere.

    Attributes:
        committed: Versions of the ledger in git, the one of the commit at hand first.
        named: Id and content of an entry, by what names it: a verdict that rests on it.
        elsewhere: Versions of other branches; their openings count, though they need not be here.
    """

    committed: tuple[bytes, ...] = ()
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    elsewhere: tuple[bytes, ...] = ()


def verify_anchors(ledger: Ledger, anchors: Anchors, where: str) -> None:
    """Make sure that nothing that is anchored is missing or was moved.

    The version of the commit at hand must be the beginning of the ledger; of all other versions (merged branches, too)
    every entry must be there, with all that it said but who asked first.

    Args:
        ledger: The ledger at hand.
        anchors: What is known of it elsewhere.
        where: File of the ledger, for messages.

    Raises:
        InputError: An anchored line is missing, or is not where it was.
    """
    contents = {entry.id: entry.content for entry in ledger.entries}
    whole = b"".join(entry.encode() for entry in ledger.entries)
    for position, version in enumerate(anchors.committed):
        if whole.startswith(version):
            continue
        entries = parse_ledger(version, f"{where} in git").entries
        for entry in entries:
            if contents.get(entry.id) != entry.content:
                what = "another" if entry.id in contents else "no"
                found = f"{what} entry on {entry.cohort} and {entry.model}, opened by {entry.who} on {entry.when}"
                raise InputError(where, found, "every entry that was ever committed", _RESTORE)
        if position == 0 and ledger.entries[: len(entries)] != entries:
            raise InputError(where, "other lines than those committed", "these, and new ones behind them", _RESTORE)
    for name, (entry_id, content) in anchors.named.items():
        if contents.get(entry_id) != content:
            found = f"{len(ledger.entries)} lines without opening {entry_id[:12]} as it was"
            raise InputError(where, found, f"the opening that {name} rests on", _RESTORE)


def agree(first: Figures, second: Figures) -> bool:
    """Whether two sets of estimates are the same to 1e-9, value and both limits, relative above 1."""
    if set(first) != set(second):
        return False
    for name, figure in first.items():
        other = second[name]
        if figure is None or other is None:
            if figure is not other:
                return False
        elif any(abs(a - b) > TOLERANCE * max(1.0, abs(a)) for a, b in zip(figure, other, strict=True)):
            return False
    return True


def released_sha256(document: Mapping[str, Any]) -> str:
    """Return the digest by which the ledger knows a document again: numbers to nine digits, as machines differ."""
    return json_sha256(_rounded(document))


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return f"{value:.9g}" if isinstance(value, float) else value


def figures_of(evidence: Mapping[str, Any]) -> Figures:
    """Return value, lower and upper limit of every estimate in evidence, by id."""
    return {
        entry["id"]: None if entry["value"] is None else (entry["value"], entry["lower"], entry["upper"])
        for entry in evidence["estimates"]
    }
