"""Read units that a region was given for its replica, a piece of the register (`register`). Pure.

    units     of the table; null for none any more
    indexes   by name
    given     stamps by index, "" for the table: of those that were given before the others, when; all others were
              given at the piece's own stamp

They are given once: what a region makes of its units later stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NONE: Mapping[str, Any] = {"units": None, "indexes": {}, "given": {}}


def units_for(register: Mapping[str, Any], region: str) -> dict[str, int]:
    """Those of the table ("") and of its indexes by name, as far as it has them."""
    override = register["overrides"].get(region, NONE)
    present = register["definition"].get("GlobalSecondaryIndexes", {})
    table = {} if override["units"] is None else {"": override["units"]}
    return {**table, **{name: each for name, each in override.get("indexes", {}).items() if name in present}}


def besides(register: Mapping[str, Any], region: str, units: Mapping[str, int]) -> dict[str, Any]:
    """The piece with some more, without its stamp."""
    given = {name: stamp for name, stamp in _given(register, region).items() if name not in units}
    after = {**units_for(register, region), **units}
    table = after.pop("", None)
    return {"units": table, "indexes": after, "given": given}


def new_for(register: Mapping[str, Any]) -> dict[str, int]:
    """Those that the table here, and its indexes, were given and may not have yet."""
    units, given = units_for(register, register["own"]), _given(register, register["own"])
    return {name: each for name, each in units.items() if given[name] > register["overridden"]}


def _given(register: Mapping[str, Any], region: str) -> dict[str, Any]:
    known = register["overrides"].get(region, NONE)
    return {name: known.get("given", {}).get(name, known["stamp"]) for name in units_for(register, region)}
