"""In which partitions a stream, an index or a topic may begin."""

from __future__ import annotations

from typing import Any

import pytest

from dynabus.core.errors import ApiError
from dynabus.core.tables.settled import refuse_unsettled

WHOLE: dict[str, Any] = {"number": 0}


def test_partitions_that_are_whole_are_settled() -> None:
    refuse_unsettled([WHOLE, {"number": 1, "state": "active", "move": {}}], "t")


@pytest.mark.parametrize(
    ("partition", "words"),
    [
        ({"number": 1, "state": "splitting"}, "being split"),
        ({"number": 1, "frozen": "lost"}, "Partition 1 .* is frozen"),
    ],
)
def test_what_is_split_or_frozen_is_waited_for(partition: dict[str, Any], words: str) -> None:
    with pytest.raises(ApiError, match=words) as refusal:
        refuse_unsettled([WHOLE, partition], "t")
    assert refusal.value.type.endswith("#ResourceInUseException")
