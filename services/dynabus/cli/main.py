"""The `dynabus` command.

Imports are made where they are needed: `status` is asked for often and must not load a Kafka client first.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dynabus.adapters.interrupts import take_interrupts
from dynabus.adapters.memory_limit import MemoryLimitError, check_memory
from dynabus.adapters.volume import NOT_ALLOWED, with_remedy
from dynabus.cli.arguments import SERVICES, parser
from dynabus.cli.cluster import DataFolder
from dynabus.cli.problem import Problem
from dynabus.cli.target import DATA, target_of

CANNOT_RUN = 1
OF_VOLUMES = frozenset({errno.ENOSPC, errno.EDQUOT, *NOT_ALLOWED})
INTERRUPTED = 130
"""What shells use for a program that ended at Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in SERVICES:
            return _run_service(arguments[0], arguments[1:])
        return _run(parser().parse_args(arguments))
    except Problem as problem:
        print(f"dynabus: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; so do we. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in OF_VOLUMES:
            raise
        print(f"dynabus: {with_remedy(error, Path(error.filename or '.'))}", file=sys.stderr)
        return CANNOT_RUN


def _run_service(service: str, arguments: list[str]) -> int:
    """The limit of memory is looked at before the service is imported: that alone takes 58 MB, and a process that may
    have fewer is not killed then but reads its own code from the disk again and again, for minutes."""
    try:
        check_memory()
    except MemoryLimitError as error:
        print(f"dynabus {service}: {error}", file=sys.stderr)
        return CANNOT_RUN
    module = importlib.import_module(SERVICES[service][0])
    code: int = module.main(arguments)
    return code


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "up":
            return _up(options)
        case "down":
            from dynabus.cli.down import down

            down(_folder(options), _say)
        case "status":
            from dynabus.cli.status import print_status

            print_status(target_of(options), options.json)
        case "logs":
            from dynabus.cli.logs import print_logs

            print_logs(_folder(options), options.service, options.follow, options.lines)
        case "admin" if options.order == "scrub":
            from dynabus.cli.scrub import scrub

            return scrub(target_of(options), options.table, options.partition, _say)
        case "admin":
            _administer(options)
        case "region":
            _regions(options)
        case "export" | "import":
            from dynabus.cli.migration.commands import run

            run(options, _say)
        case "mock-kafka":
            from dynabus.adapters.kafka.mock import serve

            return serve(options.address_file)
        case _:
            from dynabus.cli.version import version_line

            print(version_line())
    return 0


def _administer(options: argparse.Namespace) -> None:
    from dynabus.cli import placement
    from dynabus.cli.index_lag import limit_lag
    from dynabus.cli.ingest import switch_ingest
    from dynabus.cli.recover import Wanted, recover
    from dynabus.cli.split import split
    from dynabus.cli.table_topic import switch_table_topic
    from dynabus.cli.throttled import print_throttled

    target = target_of(options)
    match options.order:
        case "split":
            split(target, options.table, options.partition, options.at, not options.no_wait, _say)
        case "ingest":
            switch_ingest(target, options.table, options.switch == "on", _say)
        case "index-lag-limit":
            limit_lag(target, options.table, options.index, options.limit, _say)
        case "table-topic":
            switch_table_topic(target, options.table, options.switch == "on", _say)
        case "recover":
            wanted = Wanted(options.table, options.partition, options.source, options.without, options.yes)
            recover(target, wanted, _say)
        case "drain":
            placement.drain(target, options.node, not options.no_wait, _say)
        case "undrain":
            placement.undrain(target, options.node, _say)
        case "remove":
            placement.remove(target, options.node, _say)
        case "plan":
            placement.print_plan(target)
        case "throttled":
            print_throttled(target, options.json)
        case _:
            placement.print_events(target, options.count)


def _regions(options: argparse.Namespace) -> None:
    from dynabus.cli import region, region_status

    target = target_of(options)
    match options.order:
        case "add":
            region.add(target, region.peers_of(options), _say)
        case "remove":
            region.remove(target, options.name, options.force, _say)
        case _:
            region_status.print_status(target, options.json)


def _up(options: argparse.Namespace) -> int:
    from dynabus.cli.foreground import stay
    from dynabus.cli.plan import Wish
    from dynabus.cli.up import up
    from dynabus.cli.welcome import welcome

    fields = ["kafka", "kafka_config", "nodes", "routers", "propagators", "host", "port", "namespace"]
    fields += ["auth", "tls_cert", "tls_key", "throttling", "region"]
    folder = _folder(options)
    take_interrupts()  # what was started for nothing is stopped however the start is ended
    cluster = up(folder, Wish(**{name: getattr(options, name) for name in fields}), _say)
    print(welcome(cluster, folder.path), flush=True)
    if not options.detach:
        _say("Ctrl-C stops it")
        stay(folder, _say)
    return 0


def _folder(options: argparse.Namespace) -> DataFolder:
    return DataFolder(options.data or DATA)


def _say(line: str) -> None:
    """Progress, on standard error: standard output is for results."""
    # Nobody may read it any more: the terminal was closed.
    with suppress(OSError):
        print(f"dynabus: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
