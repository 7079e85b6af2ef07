"""Settings of a RepOut."""

from __future__ import annotations

from pydantic import Field

from dynabus.adapters.settings import ServiceSettings


class RepOutSettings(ServiceSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file."""

    commit_every_ms: int = Field(
        default=200,
        ge=10,
        le=60_000,
        description="Milliseconds between two commits: how much is sent again after a crash.",
    )
    session_timeout_ms: int = Field(
        default=6000,
        ge=6000,
        le=300_000,
        description="After so many silent milliseconds the group gives a RepOut's shards to others (Kafka's own "
        "least: 6000).",
    )
    catch_up_per_s: int = Field(
        default=2000,
        ge=1,
        description="Changes per second to one destination at most, so that one that was away does not starve local "
        "traffic, here or there; more than the tables' writes, or it never catches up.",
    )
    floors_every_s: int = Field(
        default=30,
        ge=1,
        le=86_400,
        description="Seconds between two words to a destination about what is decided, there and here: by them "
        "regions forget deletions.",
    )
    backlog_alarm_s: int = Field(
        default=6 * 3600,
        ge=1,
        description="A destination that has not acknowledged a change for so many seconds is an alarm: streams keep "
        "changes for their retention only.",
    )
