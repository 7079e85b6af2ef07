"""The benchmark: Dynabus beside bare Kafka and beside other DynamoDB-compatible servers, on one machine, in one run.

    make bench                          everything, about 10 minutes
    make bench BENCH=--quick            concurrency 1 and 32 only, about 3 minutes
    python -m bench.latency [rounds]    concurrency 1 beside the floor, in alternating rounds, half a minute
    python -m bench.mixed               10 minutes of mixed load while a storage node is killed every minute
    python -m bench.scale               a thousand partitions at rest, and a node's death among three hundred
    python -m bench.indexes             how soon a change is in an index, what indexes cost puts, and a backfill
    python -m bench.streams             how soon a change is in a Kafka consumer, and what a stream costs puts
    python -m bench.catch_up            what puts cost while log propagators are away, and how fast those catch up
    python -m bench.derived             five minutes of kills and splits: are indexes and stream still exact
    python -m bench.expiry              how fast expired items are deleted, and what clients notice of it

What counts are ratios within one run: absolute figures are the machine's. So all systems get the same prepared
requests (`workload`) from the same load generator (`generator`: wrk where it is installed, else `asyncio_generator`),
one system after the other with nothing else running, and the generator's own ceiling is measured first: a figure
near it is the generator's, not the system's. Client libraries are no part of it; boto3 takes longer for one call
than any of these servers.

    floor        what the same Kafka topics take with no database in between
    systems      Dynabus and its peers: how to install, start and stop them (`peers`)
    lifecycle    start-up, recovery after kill -9, what an idle cluster costs
    targets      the ratios that must hold;  report, chart: what is written to bench/results/

What it does not say: anything about several machines, several brokers, or data sets beyond memory.
"""
