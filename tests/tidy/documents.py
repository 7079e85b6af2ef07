"""The parts of the documents that are written from the code. `python -m tests.tidy.documents` writes them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dynabus.adapters.settings import CONFIG_FLAG, ENV_PREFIX, ServiceSettings
from dynabus.cli.arguments import SERVICES
from dynabus.core.topics import KINDS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
TOPICS_BEGIN = "<!-- topics: written by `python -m tests.tidy.documents` from the registry, dynabus.core.topics -->\n"
TOPICS_END = "<!-- /topics -->"

SETTINGS_PREFACE = f"""# Settings

Every service reads its settings once, at start: a flag (`--ops-port 9000`) wins over a variable
(`{ENV_PREFIX}OPS_PORT=9000`), that over the TOML file named by `{CONFIG_FLAG} FILE` or `{ENV_PREFIX}CONFIG`
(`ops_port = 9000`), that over the default. `dynabus up` sets the variables of address, name, zone, folder and
ports for the processes that it starts, and hands on all others of its own environment.

Written by `python -m tests.tidy.documents` from the services' models.
"""


def topics_table() -> str:
    """The README's table of topics."""
    lines = ["| topic | topic partitions | key | value | kept |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        partitions = "one per partition of the table" if kind.partitions is None else str(kind.partitions)
        lines.append(f"| `<ns>.{kind.pattern}` | {partitions} | {kind.key} | {kind.value} | {kind.retention} |")
    return "\n".join(lines) + "\n"


def readme() -> str:
    """The README with its table of topics as it should be."""
    text = README.read_text()
    before, _, rest = text.partition(TOPICS_BEGIN)
    _, _, after = rest.partition(TOPICS_END)
    return f"{before}{TOPICS_BEGIN}{topics_table()}{TOPICS_END}{after}"


def service_settings() -> Iterator[tuple[str, type[ServiceSettings]]]:
    """(service, its settings model) of every service."""
    for service, (entry, _) in SERVICES.items():
        name = entry.replace("__main__", "config")
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        models = [m for m in vars(module).values() if isinstance(m, type) and m.__module__ == module.__name__]
        yield from ((service, model) for model in models if issubclass(model, ServiceSettings))


def settings_document() -> str:
    """docs/settings.md as it should be."""
    sections = [SETTINGS_PREFACE, _section("Every service", ServiceSettings, [])]
    common = _rows(ServiceSettings)
    sections += [_section(service, model, common) for service, model in service_settings()]
    return "\n".join(sections)


def _section(title: str, model: type[ServiceSettings], common: list[str]) -> str:
    """A table of the settings; what is as in every service is left out."""
    rows = [row for row in _rows(model) if row not in common]
    return "\n".join([f"## {title}", "", "| flag | variable | default | |", "|---|---|---|---|", *rows, ""])


def _rows(model: type[ServiceSettings]) -> list[str]:
    return [_row(name, field) for name, field in model.model_fields.items()]


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.default is PydanticUndefined else f"`{_plain(field.default)}`"
    flag = f"--{name.replace('_', '-')}"
    return f"| `{flag}` | `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |"


def _plain(default: object) -> str:
    return "none" if default is None else str(default)


def write() -> None:
    README.write_text(readme())
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.write_text(settings_document())


if __name__ == "__main__":
    write()
