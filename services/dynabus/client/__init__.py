"""What applications import.

    from dynabus.client import stream

    for change in stream("orders", group="billing", kafka="localhost:9092"):
        print(change.event, change.keys, change.new)

`stream` reads a table's stream from Kafka as a member of a consumer group, in `for` as in `async for`.
`read_your_writes` lets a client of boto3 see what it has written, in eventually consistent reads too.
"""

from dynabus.client.change import Change, Item
from dynabus.client.errors import ClientError, NoStreamError, TrimmedDataError
from dynabus.client.places import SeenPlaces, read_your_writes
from dynabus.client.streams import Stream, stream

__all__ = [
    "Change",
    "ClientError",
    "Item",
    "NoStreamError",
    "SeenPlaces",
    "Stream",
    "TrimmedDataError",
    "read_your_writes",
    "stream",
]
