"""Tables that are written through Kafka: what a command is, in which order commands go, what may be committed. Pure.

* `commands`  what a message says, or why it says nothing
* `lanes`     one topic partition's commands: one of an item at a time, others meanwhile; how far all is delivered
* `results`   outcomes and dead letters
* `gathering` a producer's side: commands that share a message, outcomes that are awaited

What applies a command once is at the leader (`core.replication.tokens`). ARCHITECTURE.md, "Ingest", has the whole.
"""
