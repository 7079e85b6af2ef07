"""Settings of a log propagator."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings


class PropagatorSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    commit_every_ms: int = Field(
        default=200,
        ge=10,
        le=60_000,
        description="Milliseconds between two commits: how much is repeated after a crash.",
    )
    gather_ms: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Milliseconds in which changes of streams gather once some were sent: larger batches cost less. "
        "One that comes alone goes at once; 0: each does.",
    )
    schema_registry: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
        description="Schema registry (Confluent's API) with which the schema of each stream's topic is registered: "
        "http[s]://[USER:PASSWORD@]HOST[:PORT]. Without one the routers serve it.",
    )
    session_timeout_ms: int = Field(
        default=6000,
        ge=6000,
        le=300_000,
        description="After so many silent milliseconds the group gives a propagator's logs to others (Kafka's own "
        "least: 6000).",
    )
