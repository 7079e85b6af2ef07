"""A topic partition of another region's batches while it is ours."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.global_tables.rep_in import Acknowledgement, RepIn, Topic
from dynabus.request_router.ingest.reader import Share


@dataclass(slots=True, eq=False)
class Inlet(Share):
    """`done`: what may be committed."""

    brain: RepIn = field(default_factory=RepIn)
    done: int | None = None
    is_begun: bool = False

    @property
    def committable(self) -> int | None:
        return self.done

    @property
    def region(self) -> str:
        """The source."""
        return self.topic.rpartition("replication.")[2]

    @property
    def of_brain(self) -> Topic:
        """As its brain names it."""
        return self.region, self.number

    def begin(self, offset: int) -> None:
        """With the first message that came."""
        if not self.is_begun:
            self.is_begun = True
            self.brain.assigned(self.of_brain, offset)

    def advance(self, *told: Acknowledgement) -> None:
        """As far as acknowledgements are in Kafka; these are now."""
        self.brain.acknowledged(told)
        due = self.brain.due()
        self.done = due.get(self.of_brain, self.done)
        self.brain.committed(due)
