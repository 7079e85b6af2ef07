"""`dynabus up` without `--detach`: stay with the cluster, tell what dies, stop everything at Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable

from dynabus.cli.cluster import Cluster, DataFolder, Process
from dynabus.cli.down import stop_cluster
from dynabus.cli.kafka_start import Say
from dynabus.cli.problem import Problem

LOOK_S = 0.5


def stay(folder: DataFolder, say: Say) -> None:
    """Return when the cluster was stopped: here by SIGINT or SIGTERM, or by `dynabus down` elsewhere."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    told: set[int] = set()
    while not stop.wait(LOOK_S):
        seen = _settled(folder)
        if seen is None:
            continue
        cluster, dead = seen
        if not any(process.pid for process in cluster.everything):
            say("the cluster was stopped by another command")
            return
        _tell_deaths(dead, told, say)
    say("stopping")
    with folder.locked():
        stop_cluster(folder, folder.require(), say)


def _settled(folder: DataFolder) -> tuple[Cluster, list[Process]] | None:
    """The cluster's state and who is dead, or None while another command is changing it."""
    try:
        with folder.locked():
            cluster = folder.load()
            if cluster is None:
                return None
            # Within the lock: a command that stops the cluster ends processes first, and writes it down afterwards.
            return cluster, [each for each in cluster.everything if each.state == "dead"]
    except Problem:
        return None


def _tell_deaths(dead: Iterable[Process], told: set[int], say: Say) -> None:
    for process in dead:
        if process.pid not in told:
            told.add(process.pid)
            say(f"{process.name} ended (`dynabus logs {process.name}` tells why); `dynabus up` starts it again")
