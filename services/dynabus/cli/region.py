"""`dynabus region add` and `remove`: which other clusters this one knows.

The file form, of any number of regions:

    [regions.us-east-1]
    kafka = "broker.us:9092"
    endpoint = "https://127.0.0.1:8001"
    namespace = "dynabus"                       # the default
    settings = { "security.protocol" = "SSL" }  # librdkafka's properties; none by default
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaException

from dynabus.adapters.kafka.peers import SECRETS, is_in_file, with_secrets
from dynabus.adapters.kafka.settings import PROTECTED, KafkaConfigError, KafkaSettings, read_kafka_config
from dynabus.adapters.kafka.topics import TopicError, TopicIdentity
from dynabus.cli.arguments import region_name
from dynabus.cli.control import ASKER, ask, explained, kafka_of, reached
from dynabus.cli.problem import Problem
from dynabus.cli.region_view import read_planet
from dynabus.cli.target import NAMESPACE, Target
from dynabus.core.topics import Topics

Say = Callable[[str], None]

_KAFKA = re.compile(r"[^\s,:/]+:\d{1,5}(,[^\s,:/]+:\d{1,5})*")
_ENDPOINT = re.compile(r"https?://[^\s/]+/?")
_MEMBERS = frozenset({"kafka", "endpoint", "namespace", "settings"})


class Peer(NamedTuple):
    """A region to be known. `settings`: librdkafka properties with which its Kafka is reached."""

    name: str
    kafka: str
    endpoint: str
    namespace: str
    settings: Mapping[str, str]


def peers_of(options: argparse.Namespace) -> list[Peer]:
    """Of the flags, or of the file. Raises Problem for what cannot be a region."""
    if options.file is not None:
        return _read(options)
    missing = [
        flag
        for flag, value in (("NAME", options.name), ("--kafka", options.peer_kafka), ("--endpoint", options.endpoint))
        if not value
    ]
    if missing:
        raise Problem(f"region add: {', '.join(missing)} is missing (or --file FILE)")
    try:
        settings = read_kafka_config(options.settings) if options.settings is not None else {}
    except KafkaConfigError as error:
        raise Problem(str(error).replace("--kafka-config", "--settings")) from error
    return [_checked(options.name, options.peer_kafka, options.endpoint, options.peer_namespace, settings)]


def _read(options: argparse.Namespace) -> list[Peer]:
    if options.name or options.peer_kafka or options.endpoint:
        raise Problem("region add: --file has all that there is to say; leave the rest away")
    try:
        text = tomllib.loads(options.file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"--file {options.file}: {error}") from error
    regions = text.get("regions")
    if not isinstance(regions, dict) or not regions:
        raise Problem(f"--file {options.file}: there is no table [regions.NAME]")
    return [_of_file(f"--file {options.file}, {name}", name, each) for name, each in regions.items()]


def _of_file(where: str, name: str, each: Any) -> Peer:
    if not isinstance(each, dict) or not {"kafka", "endpoint"} <= each.keys() <= _MEMBERS:
        raise Problem(f"{where}: kafka and endpoint are needed, namespace and settings may be given")
    settings = each.get("settings", {})
    plain = [each["kafka"], each["endpoint"], each.get("namespace", NAMESPACE), *getattr(settings, "values", list)()]
    if not isinstance(settings, dict) or not all(isinstance(value, str) for value in plain):
        raise Problem(f"{where}: values are strings, settings is a table of them")
    try:
        region_name(name)
    except argparse.ArgumentTypeError as error:
        raise Problem(f"{where}: {error}") from error
    if forbidden := sorted(PROTECTED & settings.keys()):
        raise Problem(f"{where}: {forbidden[0]} is set by Dynabus, safety rests on it; remove it")
    return _checked(name, each["kafka"], each["endpoint"], each.get("namespace"), settings)


def _checked(name: str, kafka: str, endpoint: str, namespace: str | None, settings: Mapping[str, str]) -> Peer:
    if not _KAFKA.fullmatch(kafka):
        raise Problem(f"{name}: Kafka is named by HOST:PORT[,HOST:PORT...], not by {kafka!r}")
    if not _ENDPOINT.fullmatch(endpoint):
        raise Problem(f"{name}: an endpoint is http[s]://HOST[:PORT], not {endpoint!r}")
    return Peer(name, kafka, endpoint.rstrip("/"), namespace or NAMESPACE, settings)


def add(target: Target, peers: Sequence[Peer], say: Say) -> None:
    """All of them, or none: each is looked at first. Raises Problem."""
    cluster = target.require()
    with explained(cluster):
        own = reached(kafka_of(cluster)).identity(Topics(cluster.namespace).metadata().name)
    for peer in peers:
        _look_at(peer, own)
    for peer in peers:
        address = {"Kafka": peer.kafka, "Namespace": peer.namespace, "Endpoint": peer.endpoint}
        ask(cluster, "AddRegion", {"Name": peer.name, **address, "Settings": dict(peer.settings)})
        for name in clear_secrets(peer):
            say(
                f"region {peer.name}: {name} is kept in metadata as it is: give file:PATH, which rep-out, rep-in and "
                "repl-admin read"
            )
        say(f"region {peer.name} is known here; this cluster must be known there too, by `dynabus region add` there")


def clear_secrets(peer: Peer) -> list[str]:
    """Properties that whoever may read metadata can read, too."""
    return sorted(name for name, value in peer.settings.items() if name in SECRETS and not is_in_file(name, value))


def _look_at(peer: Peer, own: TopicIdentity) -> None:
    """It answers, is another cluster than this one, and calls itself so. Raises Problem.

    `own`: this cluster's metadata topic. Kafka clusters may have one id: those in containers have, by default.
    """
    kafka = KafkaSettings(peer.kafka, peer.namespace, ASKER, with_secrets(peer.settings))
    try:
        there = reached(kafka)
        metadata = Topics(peer.namespace).metadata().name
        if metadata not in there.names(metadata):
            raise Problem(f"region {peer.name}: there is no cluster of namespace {peer.namespace} at {peer.kafka}")
        if there.identity(metadata) == own:
            raise Problem(f"region {peer.name}: the cluster at {peer.kafka} is this one")
        region = read_planet(kafka).regions.own
    except (KafkaException, TopicError) as error:
        raise Problem(f"region {peer.name}: Kafka at {peer.kafka} does not answer ({error})") from error
    if not region:
        raise Problem(
            f"region {peer.name}: the cluster at {peer.kafka} has no region: start it with `dynabus up --region "
            f"{peer.name}`"
        )
    if region != peer.name:
        raise Problem(f"region {peer.name}: the cluster at {peer.kafka} calls itself {region}")


def remove(target: Target, name: str, force: bool, say: Say) -> None:
    """Raises Problem: tables have replicas there, and nobody said that this does not matter."""
    ask(target.require(), "RemoveRegion", {"Name": name, "Force": force})
    say(f"region {name} is known here no more")
