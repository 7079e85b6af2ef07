"""From what the user asked for and what is there already to the cluster that should run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from dynabus.adapters.kafka.source import KafkaSource, SourceError, SourceKind, parse_source
from dynabus.adapters.ports import choose_ports
from dynabus.cli.cluster import (
    ADMIN,
    DEFAULT_REGION,
    NODE,
    PROPAGATOR,
    REPLICATION,
    ROUTER,
    ZONES,
    Cluster,
    Process,
)
from dynabus.cli.door import change_door
from dynabus.cli.problem import Problem

DEFAULT_PORT = 8000
DEFAULT_NODES = 3
DEFAULT_ROUTERS = 1
DEFAULT_PROPAGATORS = 1
DEFAULT_NAMESPACE = "dynabus"


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags of `up`; None where one was not given, which leaves an existing cluster as it is."""

    kafka: str | None = None
    kafka_config: Path | None = None
    nodes: int | None = None
    routers: int | None = None
    propagators: int | None = None
    host: str | None = None
    port: int | None = None
    namespace: str | None = None
    auth: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    throttling: str | None = None
    region: str | None = None


def plan(known: Cluster | None, wish: Wish) -> tuple[Cluster, KafkaSource]:
    """The cluster that should run and the Kafka to take. Raises Problem where the wish cannot be had."""
    asked = _source(wish.kafka or (known.kafka_asked if known else "auto"))
    if known is None or not known.kafka_source:
        known, source = _new(wish), asked
    else:
        source = _kept_source(known, wish, asked)
        _refuse_changes(known, wish)
    if wish.kafka_config is not None:
        known.kafka_config = str(wish.kafka_config.resolve())
    _change_address(known, wish)
    change_door(known, wish.auth, wish.tls_cert, wish.tls_key)
    _change_throttling(known, wish)
    _change_region(known, wish)
    _add_processes(known, wish)
    return known, source


def _source(text: str) -> KafkaSource:
    try:
        return parse_source(text)
    except SourceError as error:
        raise Problem(str(error)) from error


def _new(wish: Wish) -> Cluster:
    return Cluster(
        namespace=wish.namespace or DEFAULT_NAMESPACE,
        host=wish.host or "127.0.0.1",
        port=wish.port or DEFAULT_PORT,
        kafka_asked=wish.kafka or "auto",
        region=wish.region,
    )


def _kept_source(known: Cluster, wish: Wish, asked: KafkaSource) -> KafkaSource:
    """An existing cluster's logs are where they are; only a mock, which forgot everything, may be replaced."""
    kept = KafkaSource(SourceKind(known.kafka_source), known.kafka_bootstrap)
    if kept.kind is SourceKind.MOCK and not known.kafka.is_alive:
        known.kafka_asked = wish.kafka or known.kafka_asked
        return asked
    if wish.kafka is None or asked.kind is SourceKind.AUTO:
        return kept
    if asked.kind is kept.kind:
        # An external cluster may have been given new addresses.
        return asked
    raise Problem(
        f"this cluster's data are in its Kafka ({kept.kind}, {kept.bootstrap}) and cannot move to {wish.kafka}: "
        "leave --kafka away, or start another cluster with --data DIR"
    )


def _refuse_changes(known: Cluster, wish: Wish) -> None:
    if wish.namespace not in (None, known.namespace):
        raise Problem(f"this cluster's namespace is {known.namespace}: leave --namespace away")
    for flag, wanted, have, how in (
        ("--nodes", wish.nodes, len(known.of(NODE)), ": `dynabus admin drain NODE` and `remove NODE` do"),
        ("--routers", wish.routers, len(known.of(ROUTER)), ""),
        ("--propagators", wish.propagators, len(known.of(PROPAGATOR)), ""),
    ):
        if wanted is not None and wanted < have:
            raise Problem(
                f"this cluster was started with {flag} {have}; `up` adds processes, it takes none away{how}"
            )


def _change_address(known: Cluster, wish: Wish) -> None:
    host, port = wish.host or known.host, wish.port or known.port
    if (host, port) == (known.host, known.port):
        return
    if any(router.is_alive for router in known.of(ROUTER)):
        raise Problem(f"this cluster serves at {known.endpoint}: `dynabus down` first, then give another address")
    known.host, known.port = host, port
    for index, router in enumerate(known.of(ROUTER)):
        router.port = port + index


def _change_throttling(known: Cluster, wish: Wish) -> None:
    if wish.throttling in (None, known.throttling):
        return
    if any(process.is_alive for process in known.processes):
        raise Problem(f"this cluster runs with --throttling {known.throttling}: `dynabus down` first")
    known.throttling = wish.throttling or known.throttling


def _change_region(known: Cluster, wish: Wish) -> None:
    """Its name is in ARNs and in items' versions, for ever."""
    if wish.region in (None, known.region):
        return
    if known.region is not None or wish.region != DEFAULT_REGION:
        raise Problem(
            f"this cluster's region is {known.region or DEFAULT_REGION}, for good: leave --region away, or start "
            "another cluster with --data DIR"
        )
    if any(process.is_alive for process in known.processes):
        raise Problem("this cluster runs without --region: `dynabus down` first")
    known.region = wish.region


def _add_processes(known: Cluster, wish: Wish) -> None:
    routers = wish.routers or len(known.of(ROUTER)) or DEFAULT_ROUTERS
    served = range(known.port, known.port + routers)
    _add(known, ADMIN, "admin", 1, served)
    _add(known, NODE, "node", wish.nodes or len(known.of(NODE)) or DEFAULT_NODES, served)
    _add(
        known, PROPAGATOR, "propagator", wish.propagators or len(known.of(PROPAGATOR)) or DEFAULT_PROPAGATORS, served
    )
    _add(known, ROUTER, "router", routers, served)
    for service in REPLICATION if known.region else ():
        _add(known, service, service, 1, served)


def _add(known: Cluster, service: str, noun: str, wanted: int, served: range) -> None:
    """Let there be `wanted` processes of a service, over the zones in turn; `served`: the routers' own ports."""
    while (index := len(known.of(service))) < wanted:
        taken = {process.ops_port for process in known.processes} | set(served)
        ops_port = choose_ports(1, taken=taken)[0]
        port = known.port + index if service == ROUTER else 0
        zone = min(ZONES, key=[process.zone for process in known.of(service)].count)
        known.processes.append(Process(service, _free_name(known, noun), zone, ops_port, port))


def _free_name(known: Cluster, noun: str) -> str:
    """The next number; one that was removed is not given again."""
    taken = {*(process.name for process in known.processes), *known.retired}
    return next(name for number in count(1) if (name := f"{noun}-{number}") not in taken)
