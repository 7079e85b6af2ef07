"""The documents say what the code does: tables that are written from it, dependencies, the README's commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dynabus.adapters.ports import choose_ports
from dynabus.cli.arguments import SERVICES
from tests.tidy.documents import README, ROOT, SETTINGS, readme, service_settings, settings_document

UP_TIMEOUT_S = 180
"""The first start on a machine fetches Kafka's jars."""


def test_the_readmes_topics_are_the_registrys() -> None:
    assert README.read_text() == readme(), "run `python -m tests.tidy.documents`"


def test_every_setting_is_documented() -> None:
    assert SETTINGS.read_text() == settings_document(), "run `python -m tests.tidy.documents`"


def test_every_service_has_settings() -> None:
    assert {service for service, _ in service_settings()} == set(SERVICES)


def test_every_setting_has_a_description() -> None:
    models = dict(service_settings())
    mute = [
        f"{service}: {name}"
        for service, m in models.items()
        for name, f in m.model_fields.items()
        if not f.description
    ]
    assert mute == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.split(r"[\[<>=~! ]", dependency)[0] for dependency in wanted}
    reasons = README.read_text().partition("## Dependencies")[2]
    assert {name for name in names if f"`{name}`" not in reasons} == set()


@pytest.mark.broker
@pytest.mark.slow
def test_the_readmes_lines_work(tmp_path: Path) -> None:
    port = str(choose_ports(1)[0])
    lines = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert lines is not None
    program = lines.group(1).replace(":8000", f":{port}")
    _dynabus("up", "--detach", "--kafka", "local", "--port", port, "--data", str(tmp_path / "data"))
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        _dynabus("down", "--data", str(tmp_path / "data"))
    assert "Nina Simone" in done.stdout, done.stderr


def _dynabus(*arguments: str) -> None:
    command = [sys.executable, "-P", "-m", "dynabus.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=UP_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
