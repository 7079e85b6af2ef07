"""Settings of a RepIn."""

from __future__ import annotations

from dynabus.request_router.asking_settings import AskingSettings


class RepInSettings(AskingSettings):
    """Flags, `DYNABUS_*` variables or the lines of a TOML file. Those of a router, without its HTTP."""
