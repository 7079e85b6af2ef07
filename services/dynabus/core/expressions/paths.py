"""Rules about several document paths in one expression: they may neither overlap nor contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

from dynabus.core.expressions.documents import shown
from dynabus.core.expressions.operands import Binder
from dynabus.core.expressions.placeholders import BoundPath


def check_paths(paths: Sequence[BoundPath], binder: Binder) -> None:
    """Raise ApiError for the first pair that overlaps or conflicts, in the order in which they are written."""

    if len(paths) < 2 or len({path[0] for path in paths}) == len(paths):
        return
    for at, later in enumerate(paths):
        for earlier in paths[:at]:
            _check_pair(earlier, later, binder)


def _check_pair(one: BoundPath, two: BoundPath, binder: Binder) -> None:
    for left, right in zip(one, two, strict=False):
        if left.__class__ is not right.__class__:
            raise binder.fault(f"Two document paths conflict with each other; {_rewrite(one, two)}")
        if left != right:
            return
    raise binder.fault(f"Two document paths overlap with each other; {_rewrite(one, two)}")


def _rewrite(one: BoundPath, two: BoundPath) -> str:
    return f"must remove or rewrite one of these paths; path one: {shown(one)}, path two: {shown(two)}"
