"""What applications import.

    from dynabus.client import stream

    for change in stream("orders", group="billing", kafka="localhost:9092"):
        print(change.event, change.keys, change.new)

`stream` reads a table's stream from Kafka as a member of a consumer group, in `for` as in `async for`.
"""

from dynabus.client.change import Change, Item
from dynabus.client.errors import ClientError, NoStreamError, TrimmedDataError
from dynabus.client.streams import Stream, stream

__all__ = ["Change", "ClientError", "Item", "NoStreamError", "Stream", "TrimmedDataError", "stream"]
