"""`dynabus down`: stop a cluster in an order in which nothing has to be waited for at the next start."""

from __future__ import annotations

from dynabus.cli.cluster import ADMIN, NODE, ROUTER, Cluster, DataFolder, Process
from dynabus.cli.kafka_start import Say
from dynabus.cli.processes import end_all

SERVICE_TIMEOUT_S = 5.0
"""A service that was told to stop finishes its requests and resigns; 0.5 s are usual."""

KAFKA_TIMEOUT_S = 60.0
"""Kafka writes out its logs, so that the next start recovers nothing; 0.5 s are usual, slow disks take longer."""


def down(folder: DataFolder, say: Say) -> None:
    """Stop all processes of the cluster in `folder`. Raises Problem."""
    folder.require()
    with folder.locked():
        # Again: whoever had the lock may have started processes.
        cluster = folder.require()
        if not any(process.is_alive for process in cluster.everything):
            say("nothing runs")
        stop_cluster(folder, cluster, say)


def stop_cluster(folder: DataFolder, cluster: Cluster, say: Say) -> None:
    """Ends all, whether or not that can be written down. Routers first (they finish their requests while leaders
    exist), then everything that works for them, all storage nodes at once (each resigns, none takes over),
    auto-admin, and Kafka when nobody writes."""
    others = [p for p in cluster.processes if p.service not in (ROUTER, NODE, ADMIN)]
    stages = [cluster.of(ROUTER), others, cluster.of(NODE), cluster.of(ADMIN)]
    for stage in stages:
        _stop(folder, cluster, stage, SERVICE_TIMEOUT_S, say)
    _stop(folder, cluster, [cluster.kafka], KAFKA_TIMEOUT_S, say)


def stop_process(folder: DataFolder, cluster: Cluster, process: Process, say: Say) -> None:
    """Stop one service."""
    _stop(folder, cluster, [process], SERVICE_TIMEOUT_S, say)


def _stop(folder: DataFolder, cluster: Cluster, stage: list[Process], timeout_s: float, say: Say) -> None:
    alive = [process for process in stage if process.is_alive]
    killed = end_all({process.pid: process.born for process in alive}, timeout_s)
    for process in alive:
        how = f"killed, it did not stop within {timeout_s:.0f} s" if process.pid in killed else "stopped"
        say(f"{process.name} {how}")
    for process in stage:
        process.stopped()
    try:
        folder.save(cluster)
    except OSError as error:
        say(f"that {', '.join(each.name for each in alive) or 'nothing'} stopped cannot be written down: {error}")
