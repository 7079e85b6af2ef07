"""The storage node: holds replicas of many partitions, leads some of them, answers requests.

One loop, in the main thread, over one librdkafka consumer: the node's inbox, heartbeats, metadata and the logs of
its replicas. A turn is: poll once and drain, read the clock, handle the whole batch, perform the effects in order,
poll the producers. What happens for one message takes microseconds, since a turn may hold a thousand of them.

* `service`      the loop
* `readers`      its consumers: one for everything that is up to date, another for logs that are being caught up
* `inbox`        requests, questions and answers -> the replicas' brains (`core.replication`)
* `heartbeats`   what this node says, and what it hears
* `assignments`  table metadata -> which replicas this node has (pure)
* `hosting`      opening and closing replicas: LMDB, place, Kafka topic identity
* `hosted`       one replica with its store: commits, quarantine
* `lookups`      questions to Kafka that take milliseconds, in a thread of their own
* `log_producer` appends to replication logs; `outbox` everything else that is sent
* `data_folder`  lock, format and incarnation on disk
* `broker_clock` age of a request by broker append times (pure)

Deliberately not here: any decision about terms, acceptance or answers. The loop only carries.
"""
