"""Settings of ReplAdmin."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings


class ReplAdminSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    session_timeout_ms: int = Field(
        default=6000,
        ge=6000,
        le=300_000,
        description="After so many silent milliseconds a standby takes over (Kafka's own least: 6000).",
    )
    answer_ms: int = Field(
        default=5000,
        ge=100,
        le=60_000,
        description="How long an auto-admin, here or in another region, may take for an answer (milliseconds).",
    )
    copies_at_once: int = Field(
        default=4,
        ge=1,
        le=100,
        description="So many initial copies of tables to each other region at once; the others wait.",
    )
    copy_items_per_s: int = Field(
        default=20_000,
        ge=1,
        description="Items per second of all initial copies together at most (the default is more than one machine "
        "takes: a copy goes as fast as its destination decides).",
    )
