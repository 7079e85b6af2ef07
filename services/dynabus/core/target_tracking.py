"""Target tracking: how many capacity units a table should have for what it consumes. Pure.

| consumed, a second on average of each minute           | for            | units                                  |
|--------------------------------------------------------|----------------|----------------------------------------|
| above the target                                       | two minutes    | raised, so that consumed is the target |
| below the target by 20 percent points                  | fifteen        | lowered, to what the highest needed    |

As the two alarms that Application Auto Scaling sets for DynamoDB: with 5 units and a target of 70 %, above 210 units
in each of 2 minutes, below 150 in each of 15 (DDB-TABLE-314 of ack-api-quirks; the guide's AutoScaling.html has the
minutes). For targets below 40 % the lower one is half of the target (ours): points would leave nothing to be below.
A raise is no more than was consumed needs, so demand that is throttled is followed in steps, as there.

Cooldowns begin with the last change in the same direction; without one there is none, as for DynamoDB tables.
Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

OUT_MINUTES, IN_MINUTES = 2, 15
BAND_POINTS = 20.0
LONG_AGO_S = float("inf")


class Target(NamedTuple):
    """Of reads or of writes. Units are capacity units; `percent` of them are to be consumed."""

    least: int
    most: int
    percent: float
    lowers: bool
    out_cooldown_s: float
    in_cooldown_s: float
    out_s: float
    """Unix time of the last raise; `in_s` of the last decrease."""
    in_s: float

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Target:
        """From what is stored (`core.tables.auto_scaling`)."""
        policy = settings["Target"]
        return cls(
            settings["MinimumUnits"],
            settings["MaximumUnits"],
            policy["TargetValue"],
            not policy.get("DisableScaleIn", False),
            policy.get("ScaleOutCooldown", 0),
            policy.get("ScaleInCooldown", 0),
            settings.get("out_s", -LONG_AGO_S),
            settings.get("in_s", -LONG_AGO_S),
        )

    def within(self, units: int) -> int:
        """The number of units within the limits that is nearest to this."""
        return max(self.least, min(self.most, units))


class Wanted(NamedTuple):
    """Another number of units, and why."""

    units: int
    why: str


def track(target: Target, units: int, minutes: Sequence[float], now_s: float) -> Wanted | None:
    """What to change; None: nothing. `minutes`: consumed units a second, of whole minutes, the newest last."""
    if target.percent <= 0:
        raise ValueError("a target of nothing")
    wanted = _raised(target, units, minutes, now_s) or _lowered(target, units, minutes, now_s)
    return wanted if wanted is not None and wanted.units != units else None


def _raised(target: Target, units: int, minutes: Sequence[float], now_s: float) -> Wanted | None:
    last = minutes[-OUT_MINUTES:]
    if len(last) < OUT_MINUTES or min(last) <= units * target.percent / 100:
        return None
    if now_s - target.out_s < target.out_cooldown_s:
        return None
    wanted = target.within(ceil(max(last) * 100 / target.percent))
    if wanted <= units:
        return None
    return Wanted(
        wanted, f"{max(last):.1f} of {units} were consumed, above {target.percent:g} % for {OUT_MINUTES} minutes"
    )


def _lowered(target: Target, units: int, minutes: Sequence[float], now_s: float) -> Wanted | None:
    last = minutes[-IN_MINUTES:]
    low = max(target.percent - BAND_POINTS, target.percent / 2)
    if not target.lowers or len(last) < IN_MINUTES or max(last) >= units * low / 100:
        return None
    if now_s - target.in_s < target.in_cooldown_s:
        return None
    wanted = target.within(ceil(max(last) * 100 / target.percent))
    if wanted >= units:
        return None
    return Wanted(wanted, f"{max(last):.1f} of {units} were consumed, below {low:g} % for {IN_MINUTES} minutes")
