"""Settings that every service has, and how a service reads its settings: once, at start, into a frozen value.

Flags win over `DYNABUS_*` variables, those over the TOML file (`--config FILE` or `DYNABUS_CONFIG`), that over
the defaults. A service's `config.py` extends `ServiceSettings`; every field has a description, which is also
its `--help`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from dynabus.adapters.kafka.settings import KafkaSettings, read_kafka_config

ENV_PREFIX = "DYNABUS_"
CONFIG_FLAG = "--config"

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$")]
Port = Annotated[int, Field(ge=0, le=65535)]


class ServiceSettings(BaseSettings):
    """What router, storage node, auto-admin and the others have in common."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        frozen=True,
        extra="ignore",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    kafka: str = Field(default="127.0.0.1:9092", description="Kafka's bootstrap address: HOST:PORT[,HOST:PORT...].")
    kafka_config: Path | None = Field(
        default=None,
        description="File of key=value lines with further librdkafka properties (TLS, SASL).",
    )
    namespace: str = Field(
        default="dynabus",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="Prefix of all topics; clusters with different ones can share one Kafka.",
    )
    name: Name = Field(
        description="Name of this process, unique in the cluster, the same after a restart (for example node-1).",
    )
    zone: Name = Field(default="a", description="Failure domain of this process; replicas are spread over zones.")
    data: Path = Field(default=Path(".dynabus"), description="Folder of this process's own data.")
    ops_host: str = Field(default="127.0.0.1", description="Address on which health, metrics and status are served.")
    ops_port: Port = Field(
        default=0, description="Port of health, metrics and status; 0 takes a free one and logs it."
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="Least severe level that is logged: debug, info, warning or error.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags come before these; no dotenv file is looked for."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file.get())

    def kafka_settings(self) -> KafkaSettings:
        """Where Kafka is, with the operator's own properties. Raises KafkaConfigError."""
        extra = read_kafka_config(self.kafka_config) if self.kafka_config else {}
        return KafkaSettings(self.kafka, self.namespace, self.name, extra)


_file: ContextVar[Path | None] = ContextVar("settings_file", default=None)
"""The file that the settings being built now read; pydantic-settings offers no argument for it."""

S = TypeVar("S", bound=ServiceSettings)


def load_settings(cls: type[S], argv: Sequence[str], program: str) -> S:
    """Settings of a service from its arguments, the environment and its file.

    Prints one line per mistake, naming flag, variable and value, and raises SystemExit(2).
    """
    arguments = list(argv)
    try:
        token = _file.set(_take_config_file(arguments))
        try:
            source: CliSettingsSource[Any] = CliSettingsSource(
                cls, cli_prog_name=program, cli_parse_args=arguments, cli_exit_on_error=False
            )
            # pydantic-settings takes it beside the fields, unseen by the type checker.
            return cls(_cli_settings_source=source)  # type: ignore[call-arg]
        finally:
            _file.reset(token)
    except ValidationError as error:
        mistakes = [_one_line(mistake) for mistake in error.errors()]
    except (SettingsError, tomllib.TOMLDecodeError, OSError) as error:
        mistakes = [str(error)]
    for mistake in mistakes:
        print(f"{program}: {mistake}", file=sys.stderr)
    raise SystemExit(2)


def _take_config_file(arguments: list[str]) -> Path | None:
    """Take `--config FILE` out of the arguments; without it `DYNABUS_CONFIG` counts."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(CONFIG_FLAG, default=os.environ.get(ENV_PREFIX + "CONFIG"))
    known, arguments[:] = parser.parse_known_args(arguments)
    if known.config is None:
        return None
    path = Path(known.config)
    if not path.is_file():
        raise SettingsError(f"{CONFIG_FLAG} {path}: no such file")
    return path


def _one_line(mistake: ErrorDetails) -> str:
    field = str(mistake["loc"][0]) if mistake["loc"] else "settings"
    flag = f"--{field.replace('_', '-')} ({ENV_PREFIX}{field.upper()})"
    if mistake["type"] == "missing":
        return f"{flag} is required"
    return f"{flag}: {mistake['msg']}; found {mistake['input']!r}"
