"""The log propagator: reads replication logs, writes what is derived from them (ARCHITECTURE, "The log propagator").

    service.py   the loop: learn, take over, read, produce, commit
    news.py      metadata, heartbeats, places of replicas
    group.py     membership in the consumer group, and what it has committed
    reader.py    the logs
    sender.py    the streams

What is decided is in `core.propagation`. Any number of these processes share the logs; none of them keeps anything.
"""
