"""Loops that numpy cannot express are compiled; the machine code is kept on disk, so only the first call ever waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function on arrays and numbers when it is first called.

    No fast-math: sums are added in the order written, so that results do not depend on the machine's vector width or
    on the number of threads. The global interpreter lock is released while it runs.
    """
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))
