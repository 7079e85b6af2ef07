"""Settings of a request router."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from dynabus.adapters.settings import Port, ServiceSettings
from dynabus.core.admission import Mode


class RouterSettings(ServiceSettings):
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
    region: str = Field(
        default="us-east-1",
        description="Region of ARNs, which must be auto-admin's too; requests signed for any region are taken.",
    )
    account: str = Field(
        default="000000000000", pattern=r"^\d{12}$", description="Account id of ARNs, which must be auto-admin's too."
    )
    request_deadline_ms: int = Field(
        default=10_000,
        ge=500,
        le=60_000,
        description="How long a request waits for a leader before it is answered with HTTP 500 (milliseconds).",
    )
    resend_ms: int = Field(
        default=250, ge=20, le=5000, description="How long after a silence a request is sent again (milliseconds)."
    )
    in_flight_most: int = Field(
        default=4096, ge=1, description="Requests under way at once; beyond it clients are throttled."
    )

    ingest: bool = Field(
        default=True, description="Whether this router reads commands from Kafka for tables that take them."
    )
    throttling: Mode = Field(
        default=Mode.ON,
        description="Whether tables refuse what exceeds their throughput: on, off, or report (pass, and list it).",
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
