"""What applications import.

    from dynabus.client import ingest, stream

    for change in stream("orders", group="billing", kafka="localhost:9092"):
        print(change.event, change.keys, change.new)

    with ingest("orders", kafka="localhost:9092") as orders:
        orders.put({"pk": "a", "n": 1}).result()

`stream` reads a table's stream from Kafka as a member of a consumer group, in `for` as in `async for`. `ingest`
writes a table through Kafka; what became of each command can be waited for, in threads and with `await`.
`snapshot` gives all items of a table, and lets a group's `stream` go on from there.
`read_your_writes` lets a client of boto3 see what it has written, in eventually consistent reads too.
"""

from dynabus.client.change import Change
from dynabus.client.errors import (
    BusyGroupError,
    ClientError,
    FullError,
    NoCopyError,
    NoIngestError,
    NoKafkaError,
    NoStreamError,
    NotSentError,
    RefusedError,
    TrimmedDataError,
    UnknownOutcomeError,
    UnreadableError,
)
from dynabus.client.ingestion import Ingest, ingest
from dynabus.client.outcome import Applied, Outcome
from dynabus.client.places import SeenPlaces, read_your_writes
from dynabus.client.snapshots import Snapshot, snapshot
from dynabus.client.streams import Stream, stream
from dynabus.client.values import Item

__all__ = [
    "Applied",
    "BusyGroupError",
    "Change",
    "ClientError",
    "FullError",
    "Ingest",
    "Item",
    "NoCopyError",
    "NoIngestError",
    "NoKafkaError",
    "NoStreamError",
    "NotSentError",
    "Outcome",
    "RefusedError",
    "SeenPlaces",
    "Snapshot",
    "Stream",
    "TrimmedDataError",
    "UnknownOutcomeError",
    "UnreadableError",
    "ingest",
    "read_your_writes",
    "snapshot",
    "stream",
]
