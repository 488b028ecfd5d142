"""The one error a person sees when the input is wrong."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input, said once and clearly: where, what was found, what was expected, what to do.

    The command line prints the message and exits with 2; nothing else of the judge prints tracebacks for it.
    """

    def __init__(self, where: str, found: str, expected: str, remedy: str) -> None:
        """Compose the message.

        Args:
            where: File, and row and column where they apply: ``patients.csv row 7 (P0007) column ct_stage``.
            found: What is there.
            expected: What should be there.
            remedy: What to do about it.
        """
        self.where, self.found, self.expected, self.remedy = where, found, expected, remedy
        super().__init__(f"{where}: found {found}; expected {expected}. {remedy}")
