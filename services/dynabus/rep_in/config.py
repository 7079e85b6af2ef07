"""Settings of a RepIn."""

from __future__ import annotations

from pydantic import Field

from dynabus.request_router.asking_settings import AskingSettings


class RepInSettings(AskingSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file. Those of a router, without its HTTP."""

    catch_up_delay_ms: float = Field(
        default=10.0,
        gt=0,
        le=10_000,
        description="Milliseconds for which clients' requests may wait because another region catches up, or is "
        "copied: its changes are sent as fast as that allows.",
    )
