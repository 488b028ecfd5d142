"""Every mistake in a protocol is one message with file and line; each file in wrong_protocols/ makes one."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from validation.errors import InputError
from validation.protocol import load_protocol

SOUND = Path(__file__).with_name("sound_protocol.yaml")
WRONG = sorted((Path(__file__).parent / "wrong_protocols").glob("*.yaml"))
HEADER = re.compile(r"# expect: line (?P<line>\d+)\n# message: (?P<message>.+)\n")
OF_ANOTHER_KIND = {"empty", "list"}


def test_the_protocol_they_derive_from_is_sound() -> None:
    """It loads; there are enough mistakes to mean something."""
    assert load_protocol(SOUND).model == "made_up"
    assert len(WRONG) >= 45


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_refuses(path: Path) -> None:
    """The message names the file, the line and what is wrong there, and says nothing else."""
    said = HEADER.match(path.read_text(encoding="utf-8"))
    assert said is not None
    with pytest.raises(InputError) as caught:
        load_protocol(path)

    assert re.match(rf"{re.escape(str(path))} line {said['line']}\b", caught.value.where)
    assert said["message"] in str(caught.value)
    assert str(caught.value).count("; expected ") == 1


@pytest.mark.parametrize("path", [path for path in WRONG if path.stem not in OF_ANOTHER_KIND], ids=lambda p: p.stem)
def test_makes_one_mistake(path: Path) -> None:
    """It differs from the sound protocol in one place, or two where the mistake takes two."""
    sound, wrong = (file.read_text(encoding="utf-8").splitlines() for file in (SOUND, path))
    changes = [c for c in SequenceMatcher(None, sound[1:], wrong[2:], autojunk=False).get_opcodes() if c[0] != "equal"]

    assert 1 <= len(changes) <= 2
