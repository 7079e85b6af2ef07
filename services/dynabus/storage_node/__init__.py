"""The storage node: holds replicas of many partitions, leads some of them, answers requests.

One loop, in the main thread. A turn is: poll once and drain, read the clock, handle the whole batch, perform the
effects in order, poll the producers. What happens for one message takes microseconds, since a turn may hold a
thousand of them.

* `service`      the loop; `start`: from settings to a node that is ready to turn; `ops`: health, metrics, status
* `intake`       a turn's messages -> the replicas' brains (`core.replication`)
* `inbox`        requests, questions and answers; `broker_clock`: their age by broker append times (pure)
* `outbox`       replies, questions, answers, heartbeats (log records go through `adapters.kafka.log_producer`)
* `replicas/`    which replicas this node has, opening and closing them, their logs, their states in heartbeats
* `splitting/`   heirs: they follow the parent's log, begin with a copy of its store, and take over
* `cloning/`     what this node lacks altogether: cloned from others, and sent to them
* `upkeep/`      what is on disk: checkpoints, scrubs, repair, and restoring after Kafka lost records
* `capacity/`    partitions' caps, tables' buckets, and the load that auto-admin is told of

Deliberately not here: any decision about terms, acceptance or answers. The loop only carries.
"""
