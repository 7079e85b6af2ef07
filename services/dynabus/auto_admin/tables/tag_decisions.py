"""Decisions about the tags of a table, which are in its row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from dynabus.auto_admin.tables.decisions import read_row, refuse, written
from dynabus.core.errors import ApiError, resource_not_found
from dynabus.core.replication.store import Decision, Evaluate, Outcome
from dynabus.core.tables.descriptions import refuse_change
from dynabus.core.tables.tags import Tags, listed, merge, without


def tag(arn: str, tags: Mapping[str, str]) -> Evaluate:
    """TagResource."""
    return _change_tags(arn, lambda old: merge(old, tags))


def untag(arn: str, keys: Sequence[str]) -> Evaluate:
    """UntagResource."""
    return _change_tags(arn, lambda old: without(old, keys))


def _change_tags(arn: str, make: Callable[[Tags], Tags]) -> Evaluate:
    def evaluate(old: bytes | None, _: int) -> Decision:
        if old is None:
            return refuse(no_such_resource(arn))
        state = read_row(old)
        refusal = refuse_change(state.name, state.description)
        if refusal is not None:
            return refuse(refusal)
        try:
            tags = make(state.tags)
        except ApiError as error:
            return refuse(error)
        if tags == state.tags:
            return Decision(False, None, Outcome())
        # No new revision: metadata does not have tags.
        return Decision(True, written(replace(state, tags=tags)), Outcome())

    return evaluate


def list_tags(arn: str) -> Evaluate:
    """ListTagsOfResource: a decision that changes nothing, so that it sees all that were answered before it.

    Not while the table is CREATING (ack-api-quirks, DDB-TABLE-101).
    """

    def evaluate(old: bytes | None, _: int) -> Decision:
        state = read_row(old) if old is not None else None
        if state is None or state.status == "CREATING":
            return refuse(no_such_resource(arn))
        return Decision(False, None, Outcome(body=orjson.dumps({"Tags": listed(state.tags)})))

    return evaluate


def no_such_resource(arn: str) -> ApiError:
    return resource_not_found(f"Requested resource not found: ResourceArn: {arn} not found")
