"""Auto-admin: the control plane. Policy and inventory -> planner -> decision -> executor.

Its truth is the admin log, which it runs with the very `Replica` that storage nodes run, without members and without
leases. Every decision is a mutation of that log; nothing outside is done before it is accepted, and everything that
is done can be done again, so that a successor goes on wherever this process died.

* `planner`    which nodes get which replicas (pure)
* `decisions`  what a request makes of a table's row (pure)
* `splits`     the same for splits; `splitter` says which and where, `sealing` when a parent may be sealed
* `moves`      the same for changes of replication groups; `moving` sees each to its end
* `nodes`      the same for storage nodes: known, draining, removed
* `replanner`  which replicas and leaders should be elsewhere (pure), of what `inventory` sees; `rounds` asks it
* `journal`    what was done, told from the admin log
* `workflow`   what is left to do for a table (pure)
* `executor`   topics and genesis records, in a thread of its own
* `tables`     takes those steps
* `control`    what routers ask for
* `cache`      the metadata topic, written and kept true
* `service`    the loop
* `outside`    what these need of the world; `links` and `executor` are Kafka, `connection` puts all together
"""
