"""What the command line may say."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TypeAlias

from dynabus.cli.migration.arguments import add_commands as add_migration
from dynabus.core.limits import INDEX_LAG_LIMIT_MOST_S

SERVICES = {
    "request-router": ("dynabus.request_router.__main__", "the HTTP front end"),
    "storage-node": ("dynabus.storage_node.__main__", "replicas of partitions"),
    "auto-admin": ("dynabus.auto_admin.__main__", "the control plane"),
    "log-propagator": ("dynabus.log_propagator.__main__", "streams of tables"),
    "rep-out": ("dynabus.rep_out.__main__", "changes for other regions"),
    "rep-in": ("dynabus.rep_in.__main__", "changes that other regions send"),
    "repl-admin": ("dynabus.repl_admin.__main__", "what regions tell each other of global tables"),
}
REGION_LONGEST = 32
"""Characters of a region's name; AWS's longest has 14."""

THROTTLING = ("on", "off", "report")

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def parser() -> argparse.ArgumentParser:
    """The parser of everything but a service's own arguments."""
    services = "\n".join(f"  {name:<18}{what}, in the foreground" for name, (_, what) in SERVICES.items())
    root = argparse.ArgumentParser(
        prog="dynabus",
        description="A DynamoDB-compatible database on Apache Kafka.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"services, each configured by flags, DYNABUS_* variables or a file (--help tells):\n{services}",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_up(commands)
    down = commands.add_parser("down", help="stop a cluster")
    status = commands.add_parser("status", help="what runs, and who leads which partition")
    status.add_argument("--json", action="store_true", help="in a stable form for programs")
    _add_logs(commands)
    _add_admin(commands)
    _add_region(commands)
    add_migration(commands)
    _add_data(down)
    _add_target(status)
    commands.add_parser("version", help="versions of dynabus and what it runs on")
    mock = commands.add_parser("mock-kafka")
    mock.add_argument("address_file", type=Path)
    return root


def _add_up(commands: Commands) -> None:
    up = commands.add_parser("up", help="start a cluster on this machine, or what is missing of one")
    _add_data(up)
    up.add_argument("--detach", action="store_true", help="return once it serves; it goes on in the background")
    up.add_argument("--kafka", metavar="SOURCE", help="auto, local, mock, docker or HOST:PORT[,...] (default: auto)")
    up.add_argument("--kafka-config", type=Path, metavar="FILE", help="librdkafka properties, key=value (TLS, SASL)")
    up.add_argument("--nodes", type=_count, metavar="N", help="storage nodes (default: 3)")
    up.add_argument(
        "--routers", type=_count, metavar="N", help="request routers, on ports from --port on (default: 1)"
    )
    up.add_argument(
        "--propagators",
        type=_count,
        metavar="N",
        help="log propagators, which share the tables' streams (default: 1)",
    )
    up.add_argument("--host", metavar="ADDRESS", help="address to serve on (default: 127.0.0.1)")
    up.add_argument("--port", type=_port, metavar="PORT", help="port to serve on (default: 8000)")
    _add_door(up)
    up.add_argument(
        "--throttling",
        choices=THROTTLING,
        default=os.environ.get("DYNABUS_THROTTLING") or None,
        help="refuse what exceeds a table's throughput (on, default), let it pass and list it (report), or off",
    )
    up.add_argument(
        "--region",
        type=region_name,
        default=os.environ.get("DYNABUS_REGION") or None,
        metavar="NAME",
        help="this cluster's region, for tables that are global "
        "(default: DYNABUS_REGION, else none, and us-east-1 in ARNs)",
    )
    up.add_argument("--namespace", type=_namespace, metavar="NS", help="prefix of all topics (default: dynabus)")


def _add_door(up: argparse.ArgumentParser) -> None:
    """Who may come in. The variables are the routers' own, which get them from us."""
    for flag, metavar, text in (
        ("auth", "FILE", "access keys (TOML); requests must be signed with one of them; off: any will do (default)"),
        ("tls-cert", "FILE", "certificate (PEM): serve HTTPS with it; off: HTTP (default)"),
        ("tls-key", "FILE", "its key (PEM), if it is not in the same file"),
    ):
        default = os.environ.get(f"DYNABUS_{flag.upper().replace('-', '_')}") or None
        up.add_argument(f"--{flag}", metavar=metavar, default=default, help=text)


def _add_logs(commands: Commands) -> None:
    logs = commands.add_parser("logs", help="logs of one process or all")
    _add_data(logs)
    logs.add_argument(
        "service", nargs="?", metavar="SERVICE", help="a name (node-1), a service (storage-node) or kafka"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    logs.add_argument("-n", "--lines", type=_count, default=50, metavar="N", help="lines of each log (default: 50)")


def _add_admin(commands: Commands) -> None:
    admin = commands.add_parser("admin", help="what operators do to a cluster that runs")
    orders = admin.add_subparsers(dest="order", required=True, metavar="ORDER")
    split = orders.add_parser("split", help="split a partition in two while it is used")
    split.add_argument("table", metavar="TABLE")
    split.add_argument("partition", type=_number, metavar="PARTITION", help="its id, as status shows it")
    split.add_argument(
        "--at", metavar="KEY", help="first key of the upper half, in DynamoDB's JSON (default: the middle by bytes)"
    )
    split.add_argument("--no-wait", action="store_true", help="return once it is decided")
    _add_target(split)
    ingest = orders.add_parser("ingest", help="let a table take commands from Kafka, or not any more")
    ingest.add_argument("table", metavar="TABLE")
    ingest.add_argument("switch", choices=("on", "off"))
    _add_target(ingest)
    topic = orders.add_parser("table-topic", help="write a table to a compacted topic, key to item, or not any more")
    topic.add_argument("table", metavar="TABLE")
    topic.add_argument("switch", choices=("on", "off"))
    _add_target(topic)
    lag = orders.add_parser("index-lag-limit", help="throttle writes that touch an index which is too far behind")
    lag.add_argument("table", metavar="TABLE")
    lag.add_argument("index", metavar="INDEX")
    lag.add_argument("limit", type=_lag_limit, metavar="SECONDS|off", help="1 to 604800; off is the default")
    _add_target(lag)
    throttled = orders.add_parser("throttled", help="requests that were throttled, or would have been")
    throttled.add_argument("--json", action="store_true", help="for programs")
    _add_target(throttled)
    scrub = orders.add_parser(
        "scrub", help="read replicas as a whole now and say what was found; damaged ones are rebuilt"
    )
    scrub.add_argument("table", nargs="?", metavar="TABLE", help="default: all")
    scrub.add_argument("partition", nargs="?", type=_number, metavar="PARTITION", help="its id (default: all)")
    _add_target(scrub)
    _add_recover(orders)
    _add_placement(orders)


def _add_region(commands: Commands) -> None:
    regions = commands.add_parser("region", help="other clusters, in which tables have replicas")
    orders = regions.add_subparsers(dest="order", required=True, metavar="ORDER")
    add = orders.add_parser("add", help="make another region known here, or where it is now")
    add.add_argument("name", nargs="?", type=region_name, metavar="NAME", help="as that cluster calls itself")
    add.add_argument("--kafka", dest="peer_kafka", metavar="HOST:PORT", help="its Kafka, as it is reached from here")
    add.add_argument("--endpoint", metavar="URL", help="of its API")
    add.add_argument(
        "--namespace", dest="peer_namespace", type=_namespace, metavar="NS", help="of its topics (default: dynabus)"
    )
    add.add_argument(
        "--settings", type=Path, metavar="FILE", help="librdkafka properties to reach its Kafka with (TLS, SASL)"
    )
    add.add_argument("--file", type=Path, metavar="FILE", help="all of that in TOML, of any number of regions")
    add.set_defaults(kafka=None, kafka_config=None, namespace=None)
    _add_data(add)
    remove = orders.add_parser("remove", help="forget another region")
    remove.add_argument("name", type=region_name, metavar="NAME")
    remove.add_argument("--force", action="store_true", help="though tables have replicas there, as they are")
    _add_target(remove)
    status = orders.add_parser("status", help="other regions, and how far their replicas are behind")
    status.add_argument("--json", action="store_true", help="in a stable form for programs")
    _add_target(status)


def _add_recover(orders: Commands) -> None:
    recover = orders.add_parser(
        "recover", help="show what a frozen partition, whose log lost records, would go on from; --yes does it"
    )
    recover.add_argument("table", metavar="TABLE")
    recover.add_argument("partition", type=_number, metavar="PARTITION", help="its id, as status shows it")
    recover.add_argument(
        "--from", dest="source", metavar="NODE", help="whose replica to go on from (default: the most advanced)"
    )
    recover.add_argument(
        "--without", action="append", default=[], metavar="NODE", help="do without this node, which is silent"
    )
    recover.add_argument("--yes", action="store_true", help="do it")
    _add_target(recover)


def _add_placement(orders: Commands) -> None:
    for name, text in (
        ("drain", "move all replicas away from a node, and wait until it has none"),
        ("undrain", "let a node have replicas again"),
        ("remove", "forget a drained node for good, and stop it"),
    ):
        order = orders.add_parser(name, help=text)
        order.add_argument("node", metavar="NODE", help="its name, as status shows it")
        _add_target(order)
        if name == "drain":
            order.add_argument("--no-wait", action="store_true", help="return once it is decided")
    _add_target(orders.add_parser("plan", help="what auto-admin would do now, and why"))
    events = orders.add_parser("events", help="what auto-admin did, the newest last")
    events.add_argument("-n", "--count", type=_count, default=50, metavar="N", help="how many (default: 50)")
    _add_target(events)


def region_name(text: str) -> str:
    """Letters, digits and dashes, as AWS's own: it is in ARNs and in names of topics."""
    if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", text) or len(text) > REGION_LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: small letters, digits and - only, {REGION_LONGEST} at most")
    return text


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a partition")
    return int(text)


def _lag_limit(text: str) -> int:
    """0: off."""
    if text == "off":
        return 0
    if not text.isdigit() or not 1 <= int(text) <= INDEX_LAG_LIMIT_MOST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is neither off nor seconds, 1 to {INDEX_LAG_LIMIT_MOST_S}")
    return int(text)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, metavar="DIR", help="folder of the cluster (default: .dynabus)")


def _add_target(command: argparse.ArgumentParser) -> None:
    """A cluster of this machine, or one that runs elsewhere (`cli.target`)."""
    _add_data(command)
    command.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        help="of a cluster that runs elsewhere, its Kafka (default: DYNABUS_KAFKA, where there is no folder)",
    )
    command.add_argument("--kafka-config", type=Path, metavar="FILE", help="librdkafka properties to reach it with")
    command.add_argument("--namespace", type=_namespace, metavar="NS", help="prefix of its topics (default: dynabus)")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def _namespace(text: str) -> str:
    if not text.replace("-", "").replace("_", "").isalnum() or not text.isascii() or len(text) > 32:
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, - and _ only, 32 at most")
    return text
