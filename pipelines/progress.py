"""Progress on standard error: one line that updates on a terminal, a line every tenth elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol


class LineProgress:
    """Counts patients: `progress(done, total)`."""

    def __init__(self, what: str) -> None:
        """Name what is counted, for instance "reading mri_external"."""
        self.what = what
        self._terminal = sys.stderr.isatty()
        self._last_tenth = -1

    def __call__(self, done: int, total: int) -> None:
        """Show the count; the last one ends the line."""
        tenth = 10 * done // max(total, 1)
        if self._terminal:
            sys.stderr.write(f"\r{self.what}: {done}/{total}" + ("\n" if done == total else ""))
            sys.stderr.flush()
        elif tenth != self._last_tenth:
            sys.stderr.write(f"{self.what}: {done}/{total}\n")
        self._last_tenth = tenth


class Tracker(Protocol):
    """What records a training; `registry.tracking` is one."""

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record one epoch of one run."""

    def message(self, text: str) -> None:
        """Record one message."""


class TrainingProgress:
    """Shows epochs and messages of a training and hands them on to a tracker."""

    def __init__(self, tracker: Tracker | None = None) -> None:
        """Take the tracker that records what is shown, if any."""
        self._tracker = tracker

    def epoch(self, run: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Show one epoch of one run."""
        figures = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        sys.stderr.write(f"{run}: epoch {epoch}: {figures}\n")
        if self._tracker:
            self._tracker.epoch(run, epoch, metrics)

    def message(self, text: str) -> None:
        """Show one message."""
        sys.stderr.write(f"{text}\n")
        if self._tracker:
            self._tracker.message(text)
