"""Settings of a request router."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from dynabus.adapters.settings import Port
from dynabus.request_router.asking_settings import AskingSettings


class RouterSettings(AskingSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    host: str = Field(default="127.0.0.1", description="Address on which the DynamoDB API is served.")
    port: Port = Field(default=8000, description="Port of the DynamoDB API.")
    auth: Path | None = Field(
        default=None,
        description="File of access keys (TOML, readable by its owner alone); without one any signature is accepted.",
    )
    tls_cert: Path | None = Field(default=None, description="Certificate chain in PEM form: serves HTTPS with it.")
    tls_key: Path | None = Field(default=None, description="The certificate's key, if it is not in the same file.")
    cors_origins: str = Field(
        default="*",
        description="Web pages that may call the API from a browser: their origins with commas, * for all, or none.",
    )
    ingest: bool = Field(
        default=True, description="Whether this router reads commands from Kafka for tables that take them."
    )

    @field_validator("auth", "tls_cert", "tls_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """A variable that compose files always set is empty where it is not wanted."""
        return None if value == "" else value

    @field_validator("tls_key")
    @classmethod
    def _with_its_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_cert") is None:
            raise ValueError("a key needs its certificate, --tls-cert")
        return value
