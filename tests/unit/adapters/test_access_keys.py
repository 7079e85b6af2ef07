"""The file of access keys: what is read, and what is refused in one line that tells no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynabus.adapters import access_keys
from dynabus.adapters.access_keys import AccessKeysError, read_access_keys
from dynabus.core.signatures import AccessKey

GOOD = """
# the application
AKIDEXAMPLE = "wJalr/+= secret"

[ASIAEXAMPLE]
secret = 'of a \\ session'
session_token = "token"
expires = 2027-01-01T00:00:00Z

[other-key_1]
secret = "x"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.touch(0o600)
    return path


def test_keys(file: Path) -> None:
    file.write_text(GOOD)
    assert read_access_keys(file) == {
        "AKIDEXAMPLE": AccessKey("wJalr/+= secret"),
        "ASIAEXAMPLE": AccessKey("of a \\ session", "token", 1_798_761_600.0),
        "other-key_1": AccessKey("x"),
    }


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_of_its_owner(file: Path, mode: int) -> None:
    file.write_text(GOOD)
    file.chmod(mode)
    assert read_access_keys(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o620, 0o601, 0o777])
def test_a_file_that_others_can_reach(file: Path, mode: int) -> None:
    file.write_text(GOOD)
    file.chmod(mode)
    with pytest.raises(AccessKeysError, match=rf"others than its owner can reach it \(mode {mode:o}\): `chmod 600 "):
        read_access_keys(file)
    link = file.with_name("link")
    link.symlink_to(file)
    with pytest.raises(AccessKeysError, match="others than its owner"):
        read_access_keys(link)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", 'no keys in it: write lines ACCESS_KEY_ID = "secret access key"'),
        ("# nothing\n", "no keys in it"),
        ("AKID = wJalr", "no TOML: Invalid value"),
        ("AKID", "no TOML: "),
        ('AKID = "wJalr"\nAKID = "wJalr"', "no TOML: Cannot overwrite a value"),
        ('AKID = ""', "'AKID': its secret must be a text in quotes that is not empty"),
        ("AKID = 1234567", "'AKID': its secret must be a text"),
        ('[AKID]\nsession_token = "wJalr"', "'AKID': its secret must be a text"),
        ('[AKID]\nsecret = "wJalr"\nsession_token = ""', "'AKID': session_token must be a text"),
        ('[AKID]\nsecret = "wJalr"\nsession_token = ["wJalr"]', "'AKID': session_token must be a text"),
        ('[AKID]\nsecret = "wJalr"\nexpires = 2027-01-01T00:00:00Z', "only a key with a session_token expires"),
        ('[AKID]\nsecret = "wJalr"\nsession_token = "t"\nexpires = "2027"', "expires must be a time such as 2027-"),
        ('[AKID]\nsecret = "wJalr"\ntoken = "wJalr"', "unknown member token; there are secret, session_token and"),
        ('AKID.x = "wJalr"', "unknown member x"),
        ('"AKID/x" = "wJalr"', "'AKID/x': an access key id has letters, digits, - and _ only"),
        ('"" = "wJalr"', "'': an access key id has"),
        (f'{"A" * 129} = "wJalr"', "128 at most"),
    ],
)
def test_what_is_no_file_of_keys(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(AccessKeysError) as caught:
        read_access_keys(file)
    message = str(caught.value)
    assert message.startswith(f"access keys {file}: ")
    assert says in message
    assert "wJalr" not in message
    assert "\n" not in message


def test_what_is_no_text(file: Path) -> None:
    file.write_bytes(b'AKID = "\xff"')
    with pytest.raises(AccessKeysError, match="no UTF-8 text at byte 8"):
        read_access_keys(file)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(AccessKeysError, match=r"access keys .*/none: No such file or directory"):
        read_access_keys(tmp_path / "none")
    with pytest.raises(AccessKeysError, match="Is a directory"):
        read_access_keys(tmp_path)


def test_a_file_that_is_something_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_keys, "FILE_BYTES_MOST", 100)
    file.write_text("# " + "x" * 100)
    with pytest.raises(AccessKeysError, match="larger than 100 bytes"):
        read_access_keys(file)
