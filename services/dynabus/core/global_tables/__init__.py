"""Global tables: tables that several regions write, each a cluster with a Kafka of its own. Pure.

    versions.py   which write wins, and what it has met       floors.py   when a deletion may be forgotten
    leading.py    what a partition's log says of regions, and the version of each row that is written
    conflicts.py  what a mutation says of two writes, neither of which knew of the other
    promises.py   what RepOut can tell of older changes, which raises floors
    rep_out.py    RepOut: a region's own changes to one other region, in batches that wait for its acknowledgement
    rep_in.py     RepIn: batches of other regions, each change to the leader of its item

RepOut, RepIn and promises are not wired to services yet: ARCHITECTURE, Global tables.
"""
