"""What auto-admin decided about the simulated table's partitions, and what routers believe of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from dynabus.core.ids import LogId, NodeName, PartitionId
from dynabus.core.replication.heir import Inheritance
from dynabus.core.replication.records import Child

LOG = LogId("0" * 32)
ROWS = (b"k1r", b"k2r")
"""Keys of what is written without request ids."""
REGION_KEYS = (b"k1g", b"k2g")
"""Of items of a global table."""
HOT_KEYS = (*REGION_KEYS, b"k1h", b"k2h")
COLD_KEYS = tuple(b"k%d%c" % (number, letter) for number in (1, 2) for letter in b"bdfmqt")
"""Written so rarely that a deletion lasts until it is forgotten."""
GLOBAL_KEYS = (*HOT_KEYS, *COLD_KEYS)
"""The same, where there is nothing else."""


@dataclass
class Partition:
    """One partition as metadata has it. `children` once a split is decided, `closed` once they serve."""

    number: int
    generation: int
    lower: bytes
    upper: bytes | None
    lineage: tuple[int, ...]
    preferred: NodeName
    members: tuple[NodeName, ...]
    target: tuple[NodeName, ...] = ()
    """The members that it shall have, while they are being changed."""
    joining: NodeName | None = None
    plan: int = 0
    joined: dict[NodeName, int] = field(default_factory=dict)
    """The plan by which each became, or becomes, a member."""
    children: list[int] = field(default_factory=list)
    closed: bool = False
    frozen: bool = False
    """Its log lost records."""
    restoring: bool = False
    """It goes on from a frozen one and does not hold all yet."""
    sealed: bool = False
    """Routers know that it is; what they believe is only ever right or old."""
    hint: str = ""
    old_hint: str = ""
    hint_term: int = 0

    @property
    def moving(self) -> bool:
        return bool(self.target)

    def is_on(self, node: NodeName) -> bool:
        """The node has a replica of it."""
        return node in self.members or node == self.joining

    def holds(self, key: bytes) -> bool:
        return self.lower <= key and (self.upper is None or key < self.upper)

    @property
    def inheritance(self) -> Inheritance:
        return Inheritance(PartitionId(LOG, self.number), self.lower, self.upper, self.lineage)

    @property
    def child(self) -> Child:
        """As its parent's seal names it."""
        return Child(self.number, self.generation, self.lower, self.upper)

    def split(self, at: bytes, first: int, preferred: tuple[NodeName, NodeName]) -> list[Partition]:
        """The decision."""
        line = (*self.lineage, self.number)
        lower = Partition(first, self.generation + 1, self.lower, at, line, preferred[0], self.members)
        upper = Partition(first + 1, self.generation + 1, at, self.upper, line, preferred[1], self.members)
        self.children = [lower.number, upper.number]
        return [lower, upper]
