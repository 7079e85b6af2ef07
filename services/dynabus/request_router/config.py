"""Settings of a request router."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import Port, ServiceSettings


class RouterSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    host: str = Field(default="127.0.0.1", description="Address on which the DynamoDB API is served.")
    port: Port = Field(default=8000, description="Port of the DynamoDB API.")
    region: str = Field(default="us-east-1", description="Region in ARNs; requests of any region are taken.")
    account: str = Field(default="000000000000", pattern=r"^\d{12}$", description="Account id in ARNs.")
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
