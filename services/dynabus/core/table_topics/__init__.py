"""Table topics: a table as a compacted Kafka topic, key -> latest item (ARCHITECTURE, "Table topics"). Pure.

    view.py           a table topic as propagators know it       partitioner.py   which topic partition a key has
    messages.py       what travels over the bus about it

What writes them is in `core.propagation`: they are one more thing that is derived from a table's logs.
"""
