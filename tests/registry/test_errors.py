"""What a person reads when a release step says no."""

from __future__ import annotations

from registry.errors import IntegrityError, Refusal


def test_refusal_names_every_gate_and_carries_the_exit_code() -> None:
    """The reasons are lines of the message."""
    fail = Refusal("champion of a to b", "FAIL", 1, ["gate one", "gate two"], "Nothing was changed.")

    assert str(fail) == "champion of a to b: the verdict is FAIL\n  - gate one\n  - gate two\nNothing was changed."
    assert (fail.exit_code, fail.reasons) == (1, ("gate one", "gate two"))


def test_integrity_error_names_file_and_both_digests() -> None:
    """Where, what was certified, what is there, what to do."""
    error = IntegrityError("model.onnx", "abc", "def", "Do not use it.")

    assert str(error) == "model.onnx: expected abc; found def. Do not use it."
