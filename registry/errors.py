"""The two ways a release step says no; bad input is `validation.errors.InputError`."""

from __future__ import annotations

from collections.abc import Sequence


class Refusal(Exception):  # noqa: N818 - not an error of anybody's: the gate did its work
    """A release step was refused because the evidence does not carry it.

    Attributes:
        verdict: "FAIL" or "INCONCLUSIVE".
        exit_code: 1 for FAIL, 3 for INCONCLUSIVE.
        reasons: One line per blocking gate that did not pass: gate, cohort, number with interval, limit.
    """

    def __init__(self, what: str, verdict: str, exit_code: int, reasons: Sequence[str], remedy: str) -> None:
        """Compose the message.

        Args:
            what: What was asked for: ``champion of mri_distant_metastasis to mri_shortcut_challenger``.
            verdict: Why not.
            exit_code: That of the verdict.
            reasons: The blocking gates that did not pass.
            remedy: What to do.
        """
        self.verdict, self.exit_code, self.reasons = verdict, exit_code, tuple(reasons)
        super().__init__("\n".join([f"{what}: the verdict is {verdict}", *(f"  - {r}" for r in reasons), remedy]))


class IntegrityError(ValueError):
    """Bytes are not those that were certified: which file, the digest expected, the digest found, what to do."""

    def __init__(self, where: str, expected: str, actual: str, remedy: str) -> None:
        """Compose the message.

        Args:
            where: The file, and where it lies.
            expected: Digest (or state) that was certified.
            actual: Digest (or state) found.
            remedy: What to do.
        """
        self.where, self.expected, self.actual, self.remedy = where, expected, actual, remedy
        super().__init__(f"{where}: expected {expected}; found {actual}. {remedy}")
