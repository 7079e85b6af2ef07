"""The rules of the house that a program can check."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from dynabus.core.operations.registry import routes

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE_LINES = 350
LONGEST_TEST_LINES = 500
"""A test module may hold a long table of cases, which nobody reads at once."""

BANNED_WORDS = frozenset({"manager", "helper", "helpers", "util", "utils", "handler", "info"})
"""They say nothing about what a thing is."""

TEXT_SUFFIXES = frozenset({".py", ".md", ".toml", ".yml", ".yaml", ".avsc", ".properties", ".lock", ".json", ""})
HOSTS = frozenset(
    {"docs.aws.amazon.com", "cwiki.apache.org", "kafka.apache.org", "www.apache.org", "127.0.0.1", "localhost"}
    | {"en.wikipedia.org"}  # in the words of one of DynamoDB's refusals
)
"""Addresses that may be written down: sources of what we do, and this machine."""

DEFINED = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)
DOCSTRING = re.compile(r'(?:\s*#[^\n]*\n)*\s*"""\s*[^\s"]')
URL = re.compile(r"https?://([^/\s:\"'`{)>\]]+)")
MARKDOWN = re.compile(r"(?<![\w*{<])[\w./-]+\.md\b")
SOMEBODYS_PATH = re.compile(r"(?<![\w.~:/-])/(?:work|home|root|Users|mnt)/\w+")


def tracked_files() -> list[Path]:
    """Files of the repository as it is now, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


FILES = tracked_files()
TEXTS = [path for path in FILES if path.suffix in TEXT_SUFFIXES and path.name != "LICENSE"]
MODULES = [path for path in FILES if path.suffix == ".py"]


@cache
def text_of(path: Path) -> str:
    """Read once for all rules."""
    return path.read_text(errors="replace")


def _offences(paths: list[Path], pattern: re.Pattern[str], allowed: frozenset[str] = frozenset()) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in paths
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        for match in pattern.finditer(line)
        if not match.groups() or match.group(1) not in allowed
    ]


def test_modules_are_short_enough_to_read_at_once() -> None:
    lengths = {str(path.relative_to(ROOT)): len(text_of(path).splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > _limit(name)} == {}


def _limit(name: str) -> int:
    return LONGEST_TEST_LINES if name.startswith("tests/") else LONGEST_MODULE_LINES


def test_names_say_what_a_thing_is() -> None:
    named = [(path, name) for path in MODULES for name in [path.stem, *DEFINED.findall(text_of(path))]]
    banned = [f"{path.relative_to(ROOT)}: {name}" for path, name in named if BANNED_WORDS & set(_words(name))]
    assert banned == []


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def test_public_modules_begin_by_saying_what_they_are() -> None:
    modules = [path for path in MODULES if "services" in path.parts and path.name != "__init__.py"]
    silent = [str(path.relative_to(ROOT)) for path in modules if not DOCSTRING.match(text_of(path))]
    assert silent == []


def test_only_sources_and_this_machine_are_addressed() -> None:
    assert _offences(TEXTS, URL, HOSTS) == []


def test_no_path_of_somebodys_machine_is_written_down() -> None:
    assert _offences(TEXTS, SOMEBODYS_PATH) == []


def test_documents_that_are_named_exist() -> None:
    known = {path.name for path in FILES if path.suffix == ".md"} | {"ARCHITECTURE.md"}
    named = _offences(TEXTS, MARKDOWN)
    assert [offence for offence in named if Path(offence.split()[-1]).name not in known] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".ci/run"])
def test_what_a_newcomer_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()


@pytest.mark.parametrize("operation", sorted(routes))
def test_an_operation_is_one_file_and_one_conformance_file(operation: str) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
    assert (ROOT / f"services/dynabus/core/operations/{name}.py").is_file()
    assert (ROOT / f"tests/conformance/test_{name}.py").is_file()
