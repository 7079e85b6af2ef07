"""A router's part of ingest: commands from Kafka, through the ordinary request path, to outcomes.

* `reader`  a thread: a member of the consumer group; messages in, commits out
* `tasks`   what a message becomes: commands, refusals, what is none
* `service` in the event loop: keeps lanes, asks leaders
* `telling` what came of it: outcomes, dead letters (by `adapters.kafka.outbox`)

What is decided, is decided in `core.ingest`.
"""
