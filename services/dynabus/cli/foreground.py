"""`dynabus up` without `--detach`: stay with the cluster, tell what dies, stop everything at Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from dynabus.adapters.interrupts import take_interrupts
from dynabus.cli.cluster import Cluster, DataFolder, Process
from dynabus.cli.down import stop_cluster
from dynabus.cli.kafka_start import Say
from dynabus.cli.problem import Problem

LOOK_S = 0.5


def stay(folder: DataFolder, say: Say) -> None:
    """Return when the cluster was stopped: here by SIGINT, SIGTERM or the terminal's end, or by `dynabus down`
    elsewhere. Where the folder is removed meanwhile, its processes are stopped: no command could find them again."""
    stop = threading.Event()
    take_interrupts(lambda *_: stop.set())
    told: set[int] = set()
    cluster = folder.require()
    while not stop.wait(LOOK_S):
        try:
            seen = _settled(folder)
        except FileNotFoundError:
            say(f"{folder.path} is gone: stopping what ran in it")
            stop_cluster(folder, cluster, say)
            return
        if seen is None:
            continue
        cluster, dead = seen
        if not any(process.pid for process in cluster.everything):
            say("the cluster was stopped by another command")
            return
        _tell_deaths(dead, told, say)
    say("stopping")
    take_interrupts()  # the second one does not wait
    with folder.locked(patient=True):
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
