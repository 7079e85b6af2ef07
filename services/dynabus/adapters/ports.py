"""TCP ports on this machine: choose free ones, tell whether one is taken."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from ipaddress import ip_address

LOOPBACK = "127.0.0.1"

FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below the range from which systems take the ports of outgoing connections (Linux: from 32768). A client
that keeps on connecting to a port of that range while nobody listens can be given the very same port as its
own and connect to itself; the server could then never come back to it."""

ATTEMPTS = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port now (connections of an earlier server do not count)."""
    try:
        check_free(port, host)
    except OSError:
        return False
    return True


def check_free(port: int, host: str = LOOPBACK) -> None:
    """Raises OSError, which tells why a server could not listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def choose_ports(count: int, taken: Collection[int] = ()) -> list[int]:
    """So many different free ports that are not among the `taken`. Raises OSError where none is left."""
    chosen: list[int] = []
    for _ in range(ATTEMPTS * count):
        port = random.randint(FIRST_PORT, LAST_PORT)
        if port not in taken and port not in chosen and is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise OSError(f"no {count} free ports between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")


def choose_neighbours(count: int) -> int:
    """The first of so many free ports in a row, as several routers take them. Raises OSError where there are none."""
    for _ in range(ATTEMPTS):
        first = random.randint(FIRST_PORT, LAST_PORT - count + 1)
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise OSError(f"no {count} free ports in a row between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
