"""The log propagator's decisions: replication logs in, what is derived from them out. Pure.

    checkpoint.py   where a reader stands, small enough for the metadata of a committed offset
    follower.py     one log: fold, outputs
    outputs.py      what a follower is told, and what it gives for streams
    openings.py     which streams are written from it, and from where to where
    fills.py        how far indexes are filled with what is older than they
    deliveries.py   index writes under way        paging.py   rows that are asked for
    table_records.py, snapshots.py   what table topics get: of changes, and of pages of rows
    view.py         what there is to write, as metadata say
    owned_log.py    one log of a process, between its follower and what is committed
    propagator.py   all logs of one process: who waits for whom, what is confirmed, what is committed

A checkpoint is committed with or after its outputs and never before them, so that work may be repeated and nothing is
left out. Repeats change nothing: outputs are functions of the log. Deliberately not here: an own way to share logs
among processes. Kafka's consumer groups do that, and fence commits of processes that were replaced.
"""
