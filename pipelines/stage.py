"""How a DVC stage or a command ends: 0 done, 2 bad input (one line, no traceback), 4 internal error (traceback)."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from registry.errors import IntegrityError, Refusal
from validation.errors import InputError

BAD_INPUT = 2
INTERNAL_ERROR = 4
INTERRUPTED = 130


def exit_code_of(action: Callable[[], Any]) -> int:
    """Do it; say in one line what was wrong with the input; return the exit code (the action's own, if it has one)."""
    try:
        code = action()
    except (InputError, IntegrityError) as error:
        sys.stderr.write(f"error: {error}\n")
        return BAD_INPUT
    except Refusal as refusal:
        sys.stderr.write(f"refused: {refusal}\n")
        return refusal.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:  # noqa: BLE001 - the one place: an unforeseen error is an "internal error", with traceback
        if isinstance(error.__cause__, KeyboardInterrupt):  # compiled code turns an interruption into a SystemError
            return _interrupted()
        traceback.print_exc()
        return INTERNAL_ERROR
    return code if isinstance(code, int) else 0


def _interrupted() -> int:
    sys.stderr.write("\ninterrupted; what was finished is kept, run again to go on\n")
    return INTERRUPTED


def run_stage(stage: Callable[..., Any], arguments: Sequence[str]) -> None:
    """Call a DVC stage with its command-line arguments and exit as documented."""
    names = list(inspect.signature(stage).parameters)
    if len(arguments) != len(names):
        sys.stderr.write(f"usage: python -m pipelines.{stage.__name__} {' '.join(n.upper() for n in names)}\n")
        sys.exit(BAD_INPUT)
    sys.exit(exit_code_of(lambda: stage(*arguments)))
