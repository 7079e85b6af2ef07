"""The file of access keys: TOML, one line each, or a table for temporary credentials.

    AKIDEXAMPLE = "secret access key"

    [ASIAEXAMPLE]
    secret = "secret access key"
    session_token = "what clients send as X-Amz-Security-Token"
    expires = 2027-01-01T00:00:00Z      # optional

Refused in one line: a file that others than its owner can reach, one that is malformed, and one without keys. What
is said of a file never holds a secret.
"""

from __future__ import annotations

import os
import stat
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from re import compile as pattern
from typing import Any

from dynabus.core.signatures import AccessKey

FILE_BYTES_MOST = 1024 * 1024
"""About ten thousand keys; a larger file is another file."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO

KEY_ID = pattern(r"[A-Za-z0-9_-]{1,128}")
"""An access key id travels in a list with slashes, commas and blanks between its elements."""

MEMBERS = {"secret", "session_token", "expires"}


class AccessKeysError(Exception):
    """The file cannot be used; says which it is, why, and what to do."""


def read_access_keys(path: Path) -> dict[str, AccessKey]:
    """Access keys by their ids. Raises AccessKeysError."""
    try:
        keys = tomllib.loads(_private_text(path))
    except tomllib.TOMLDecodeError as error:
        raise AccessKeysError(f"access keys {path}: no TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise AccessKeysError(f"access keys {path}: no UTF-8 text at byte {error.start}") from error
    if not keys:
        raise AccessKeysError(f'access keys {path}: no keys in it: write lines ACCESS_KEY_ID = "secret access key"')
    return {key_id: _access_key(path, key_id, value) for key_id, value in keys.items()}


def _private_text(path: Path) -> str:
    """What the file says; its rights are those of the file that was opened, not of what the name means later."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(FILE_BYTES_MOST + 1)
    except OSError as error:
        raise AccessKeysError(f"access keys {path}: {error.strerror or error}") from error
    if mode & OTHERS:
        raise AccessKeysError(
            f"access keys {path}: others than its owner can reach it (mode {mode:03o}): `chmod 600 {path}`"
        )
    if len(raw) > FILE_BYTES_MOST:
        raise AccessKeysError(f"access keys {path}: larger than {FILE_BYTES_MOST} bytes")
    return raw.decode()


def _access_key(path: Path, key_id: str, value: Any) -> AccessKey:
    where = f"access keys {path}: {key_id!r}"
    if not KEY_ID.fullmatch(key_id):
        raise AccessKeysError(f"{where}: an access key id has letters, digits, - and _ only, 128 at most")
    members = value if isinstance(value, dict) else {"secret": value}
    if unknown := sorted(members.keys() - MEMBERS):
        raise AccessKeysError(
            f"{where}: unknown member {unknown[0]}; there are secret, session_token and expires "
            "(a key of one line stands before the first [table])"
        )
    secret, token, expires = (members.get(name) for name in ("secret", "session_token", "expires"))
    if not isinstance(secret, str) or not secret:
        raise AccessKeysError(f"{where}: its secret must be a text in quotes that is not empty")
    if token is not None and (not isinstance(token, str) or not token):
        raise AccessKeysError(f"{where}: session_token must be a text in quotes that is not empty")
    return AccessKey(secret, token, _seconds(where, token, expires))


def _seconds(where: str, token: str | None, expires: Any) -> float | None:
    if expires is None:
        return None
    if token is None:
        raise AccessKeysError(f"{where}: only a key with a session_token expires")
    if not isinstance(expires, datetime):
        raise AccessKeysError(f"{where}: expires must be a time such as 2027-01-01T00:00:00Z, without quotes")
    return expires.replace(tzinfo=expires.tzinfo or UTC).timestamp()
