"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# What is checked is right on a busy machine too: how long an example takes is no property of the code.
settings.register_profile("dynabus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dynabus")
