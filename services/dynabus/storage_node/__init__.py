"""The storage node: holds replicas of many partitions, leads some of them, answers requests.

One loop, in the main thread. A turn is: poll once and drain, read the clock, handle the whole batch, perform the
effects in order, poll the producers. What happens for one message takes microseconds, since a turn may hold a
thousand of them.

* `service`      the loop
* `readers`      its consumers: inbox and led logs, followed logs, logs that are being caught up
* `intake`       a turn's messages -> the replicas' brains (`core.replication`)
* `inbox`        requests, questions and answers; `broker_clock`: their age by broker append times (pure)
* `heartbeats`   what this node says, and what it hears
* `assignments`  table metadata -> which replicas this node has (pure)
* `hosting`      opening and closing replicas: LMDB, place, Kafka topic identity; `suspects`: places outside of a log
* `hosted`       one replica with its store: commits, quarantine
* `clones`       what this node lacks altogether: replayed, or cloned (`clone_receiving`, `clone_sending`)
* `checkpoints`  what is on disk for certain; `durable`: auto-admin is told of it, and prunes logs behind it
* `heat`         what replicas serve, and on which keys, for auto-admin's splits and scaling
* `lookups`      questions to Kafka that take milliseconds, in threads of their own
* `outbox`       replies, questions, answers, heartbeats (log records go through `adapters.kafka.log_producer`)
* `start`        from settings to a node that is ready to turn; `ops`: health, readiness, metrics, status

Deliberately not here: any decision about terms, acceptance or answers. The loop only carries.
"""
