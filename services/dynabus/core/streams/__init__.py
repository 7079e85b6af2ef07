"""Streams: a table's changes, as a Kafka topic and through the DynamoDB Streams API. Pure.

    sequence.py    sequence numbers
    changes.py     what an accepted mutation becomes
    messages.py    what travels over the bus about them
    view.py        the streams as metadata tell of them
    reading.py     what a reader of a stream topic counts, and what it drops
    iterators.py   shard iterators
    registry.py    schemas for Kafka's tools

Records are written by the log propagator (`core.propagation`) and read by routers (`core.operations`). Deliberately
not here: consumer groups over shards. Who reads what is Kafka's business, or the KCL's.
"""
