"""Descriptive analyses: one class per kind. Adding one = one class, one line in `KINDS`, its test, its paragraph."""

from __future__ import annotations

from validation.descriptive.base import Descriptive
from validation.descriptive.kaplan_meier import KaplanMeierByGroup

_KINDS: tuple[type[Descriptive], ...] = (KaplanMeierByGroup,)
KINDS: dict[str, type[Descriptive]] = {kind.kind: kind for kind in _KINDS}
