"""Replication: who leads a partition, which records count, when an answer may leave.

Kafka has no conditional append, and a deposed leader may still have appends in flight. So validity is decided by
reading: `fold` is one pure function that every reader of a replication log runs, and all replicas that fold the
same log come to the same history. On it stand, each a module of its own and none doing any I/O:

* `records`    the envelope of a log record, byte by byte
* `place`      everything a reader needs to go on folding (I6)
* `fold`       accepted, void or diverged (I1)
* `lease`      how long a leader may answer strong reads, how long a new one must wait (I7)
* `unresolved` records sent and not yet accepted, the overlay they make, the answers they hold back (I3, I4, I7b)
* `request_ids` each request id is applied once (I10)
* `election`   when to suspect, whom to ask, when to claim (liveness only; safety never depends on it)

Deliberately not here: evaluating DynamoDB's expressions (`core.operations`), Kafka and LMDB (`adapters`).
"""
