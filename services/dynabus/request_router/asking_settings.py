"""Settings of whoever asks leaders as a router does."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings
from dynabus.core.admission import Mode


class AskingSettings(ServiceSettings):
    """What request routers and RepIns have in common."""

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
        default=250,
        ge=20,
        le=5000,
        description="How long after a silence a request is sent again at the soonest (milliseconds): a node that is "
        "slow is given the time that its answers take, and twice as long after each silence, up to a second.",
    )
    in_flight_most: int = Field(
        default=4096, ge=1, description="Requests under way at once; beyond it clients are throttled."
    )
    throttling: Mode = Field(
        default=Mode.ON,
        description="Whether tables refuse what exceeds their throughput: on, off, or report (pass, and list it).",
    )
