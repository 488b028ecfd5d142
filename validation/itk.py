"""SimpleITK, imported when first needed (0.8 s)."""

from __future__ import annotations

from typing import Any


def simple_itk() -> Any:
    """Return SimpleITK, on one thread and with its warnings off: what they warn of, the readers refuse."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # type: ignore[no-untyped-call]
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # type: ignore[no-untyped-call]
    return SimpleITK


def reason(error: RuntimeError) -> str:
    """Return what an ITK exception says, without the source lines that it begins with."""
    return str(error).strip().splitlines()[-1].strip()
