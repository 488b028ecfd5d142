"""The judge's digest is of just the sources that shape an estimate."""

from __future__ import annotations

from pathlib import Path

import yaml

from validation.sealing.judge import SOURCES, judge_sha256

ROOT = Path(__file__).parents[3]


def test_the_judge_is_what_evaluate_depends_on() -> None:
    """The list is that of dvc.yaml, without lock, seal and ledger: they decide whether, not what, is estimated."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = [name for name in stages["evaluate"]["do"]["deps"] if name.startswith("validation/")]

    assert sorted(SOURCES) == sorted(
        name.removeprefix("validation/") for name in named if not name.startswith("validation/sealing")
    )
    assert all((ROOT / "validation" / name).exists() for name in SOURCES)


def test_a_digest_of_64_digits() -> None:
    """The same whenever it is asked for."""
    assert len(judge_sha256()) == 64
    assert judge_sha256() == judge_sha256()
