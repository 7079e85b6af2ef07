"""Auto-admin: the control plane. Policy and inventory -> planner -> decision -> executor.

Its truth is the admin log, which it runs with the very `Replica` that storage nodes run, without members and without
leases. Every decision is a mutation of that log; nothing outside is done before it is accepted, and everything that
is done can be done again, so that a successor goes on wherever this process died.

* `service`     the loop; `control`: what routers and operators ask for
* `tables/`     rows of tables, what is left to do for each, and the metadata that others read
* `placement/`  planners, inventory, moves of replicas, nodes, replicas that differ
* `splitting/`  splits: asked for, or due by size, heat or throughput
* `scaling/`    what tables consume, and targets
* `pruning/`    which records of logs nobody needs any more
* `recovery/`   partitions whose log lost records: frozen, and recovered
* `orders`      what leaders are told, until heartbeats show that it is done
* `journal`     what was done, told from the admin log
* `outside`     what these need of the world; `links` and `executor` are Kafka, `connection` puts all together

In each folder `decisions`, or the file of its noun, is pure: what a request or a step makes of a row.
"""
