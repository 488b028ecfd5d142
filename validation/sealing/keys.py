"""Keys that seal outcomes: 64 random bytes for AES-SIV, kept as 128 hexadecimal digits in a file.

The key of a study is named by the environment variable HALLMARK_KEY_FILE. The demonstration's key is published beside
this module: what it seals is no secret, and only synthetic cohorts may be sealed with it.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from validation.digests import bytes_sha256
from validation.errors import InputError

VARIABLE = "HALLMARK_KEY_FILE"
DEMO_KEY = Path(__file__).with_name("demo.key")
BYTES = 64  # AES-SIV with two keys of 256 bits (RFC 5297)
_DIGITS = re.compile(rf"[0-9a-f]{{{2 * BYTES}}}")
_MAKE = "Make one with: hallmark cohort new-key FILE"


@dataclass(frozen=True)
class Key:
    """A key, never shown.

    Attributes:
        secret: 64 bytes.
    """

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name of the key that says nothing of it: 16 hexadecimal digits."""
        return bytes_sha256(b"hallmark key id:" + self.secret)[:16]


def read_key(path: Path) -> Key:
    """Read a key.

    Raises:
        InputError: No such file, or not 128 hexadecimal digits. The message shows nothing of its content.
    """
    expected = f"a file with {2 * BYTES} hexadecimal digits"
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "bytes that are no text"
        raise InputError(str(path), f"no key ({found})", expected, _MAKE) from None
    if not _DIGITS.fullmatch(text):
        raise InputError(str(path), f"{len(text)} characters that are no key", expected, _MAKE)
    return Key(bytes.fromhex(text))


def new_key(path: Path) -> Key:
    """Draw a key and write it where no file is, readable by its owner alone.

    Raises:
        InputError: There is a file, or none can be made.
    """
    key = Key(secrets.token_bytes(BYTES))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InputError(
            str(path), str(error.strerror), "a new file", "Name another; a key is never replaced."
        ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key.secret.hex()}\n")
    return key


def demo_key() -> Key:
    """Return the published key of the synthetic cohorts."""
    return read_key(DEMO_KEY)


def key_at_hand() -> Key:
    """Return the key that HALLMARK_KEY_FILE names.

    Raises:
        InputError: It names none, or no key.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        raise InputError(f"environment variable {VARIABLE}", "nothing", "the path of the key of this study", _MAKE)
    return read_key(Path(named))


def key_of(key_id: str) -> Key:
    """Return the key with this id: the published one, or that of HALLMARK_KEY_FILE.

    Raises:
        InputError: The key at hand is another.
    """
    published = demo_key()
    if key_id == published.id:
        return published
    key = key_at_hand()
    if key.id != key_id:
        where, remedy = f"environment variable {VARIABLE}", "Ask the key holder of the cohort."
        raise InputError(where, f"key {key.id}", f"key {key_id}, which sealed these outcomes", remedy)
    return key
