"""Every way a command can end has its own exit code, and only an internal error shows a traceback."""

import pytest

from pipelines.stage import exit_code_of, run_stage
from registry.errors import IntegrityError, Refusal
from validation.errors import InputError


def raising(error: BaseException) -> int:
    """Return the exit code of an action that raises."""

    def action() -> None:
        raise error

    return exit_code_of(action)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a.csv row 2", "x", "y", "Mend it."), 2),
        (IntegrityError("model.onnx", "aa", "bb", "Pull it again."), 2),
        (Refusal("champion of m", "FAIL", 1, ["gate c on cohort d"], "Nothing was changed."), 1),
        (Refusal("champion of m", "INCONCLUSIVE", 3, ["gate c on cohort d"], "Nothing was changed."), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_foreseen_ends_have_their_codes_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input, refusal, misuse and interruption are said in words."""
    assert raising(error) == code

    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert shown.strip()


def test_unforeseen_error_is_internal_and_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A defect of ours never looks like a verdict: exit 4."""
    assert raising(ZeroDivisionError("defect")) == 4

    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_action_may_choose_its_code(code: int) -> None:
    """The exit code of a verdict passes through."""
    assert exit_code_of(lambda: code) == code


def test_wrong_number_of_arguments_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """A DVC stage called by hand without its arguments says how to call it."""

    def predict(model: str, cohort: str) -> None:
        raise AssertionError("must not be called")

    with pytest.raises(SystemExit, match="2"):
        run_stage(predict, ["one"])

    assert "python -m pipelines.predict MODEL COHORT" in capsys.readouterr().err
