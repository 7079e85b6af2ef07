"""Request router: DynamoDB's HTTP API in front, Kafka topics behind, nothing kept in between.

Any number of routers serve one cluster; each has a replies topic of its own. An event loop serves HTTP and runs the
operations' router halves (`core.operations`); one thread consumes replies, heartbeats and metadata and hands whole
batches to the loop. A request whose leader is gone is parked and sent again under the same id until a leader answers
or the deadline passes, so that clients do not see a fail-over (I10).
"""
