"""Many requests: `python -m tests.fuzz --requests 100000 --seed 1`; on a cluster: `--endpoint http://127.0.0.1:8000
--data .dynabus`. One again: `--only NUMBER`, after those of its block `--first NUMBER --requests COUNT`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

from tests.fuzz.judge import fault, is_refused
from tests.fuzz.processes import pids_of
from tests.fuzz.requests import Request, request
from tests.fuzz.stored import faults
from tests.fuzz.targets import Answer, InProcess, OverHttp, Target

BLOCK = 500
"""Requests after which tables begin anew, so that a failure has at most so many before it."""

LOOK_EVERY = {"in-process": 1, "http": 40}
"""How many refused requests are between looks at the contents: over HTTP a look is a Scan of all tables."""

SLOW_S = 5.0
GROWTH_BYTES = 64 * 1024 * 1024
"""Since a fifth of the requests was answered; the largest request alone may take a third of it for good."""


@dataclass
class Findings:
    """What came of a run."""

    answered: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    faults: int = 0


class Fuzzer:
    def __init__(self, target: Target, seed: int, look_every: int, endpoint: str) -> None:
        self._target, self._seed, self._look_every, self._endpoint = target, seed, look_every, endpoint
        self.findings = Findings()
        self._known: object = None
        self._refused = 0

    def run(self, first: int, count: int) -> Findings:
        settled: dict[str, int] = {}
        for number in range(first, first + count):
            if (number - first) % BLOCK == 0:
                self._judge_stored(first, number)
                self._target.begin()
                self._known, self._refused = None, 0
                if not settled and number - first >= count // 5:
                    settled = self._target.resident_bytes()
            self._one(first, number)
        self._judge_stored(first, first + count)
        self._judge_memory(settled)
        return self.findings

    def _one(self, first: int, number: int) -> None:
        asked = request(self._seed, number)
        if self._known is None and self._look_every == 1:
            self._known = self._target.contents()
        began = time.perf_counter()
        answer = self._target.ask(asked)
        took = time.perf_counter() - began
        self.findings.slowest = max(self.findings.slowest, (took, number))
        self.findings.answered[f"{asked.operation} {answer.status}"] += 1
        found = fault(answer) or (f"took {took:.1f} s" if took > SLOW_S else None)
        self._report(first, number, asked, found or self._changed(answer))

    def _changed(self, answer: Answer) -> str | None:
        """Whether a refused request has changed anything."""
        if not is_refused(answer):
            self._known = None
            return None
        self._refused += 1
        if self._refused % self._look_every:
            return None
        before, self._known = self._known, self._target.contents()
        return "a refused request changed something" if before is not None and before != self._known else None

    def _report(self, first: int, number: int, asked: Request, found: str | None) -> None:
        if found is None:
            return
        self.findings.faults += 1
        start = number - (number - first) % BLOCK
        again = f"python -m tests.fuzz --seed {self._seed}{self._endpoint}"
        print(f"{asked.operation} {asked.body[:300]!r}\n  {found}")
        print(f"  alone: {again} --only {number}")
        print(f"  after those before it: {again} --first {start} --requests {number - start + 1}", flush=True)

    def _judge_stored(self, first: int, end: int) -> None:
        """At the end of a block."""
        start = max(first, end - 1 - (end - 1 - first) % BLOCK)
        for found in faults(self._target) if end > first else ():
            self.findings.faults += 1
            print(found)
            again = f"python -m tests.fuzz --seed {self._seed}{self._endpoint}"
            print(f"  again: {again} --first {start} --requests {end - start}", flush=True)

    def _judge_memory(self, settled: dict[str, int]) -> None:
        now = self._target.resident_bytes()
        for name, before in settled.items():
            print(f"{name}: {before >> 20} MB after a fifth, {now[name] >> 20} MB at the end")
            if now[name] > before + GROWTH_BYTES:
                self.findings.faults += 1
                print(f"{name} has grown")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put requests that nobody means to Dynabus.")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first request")
    parser.add_argument("--only", type=int, help="this request alone, its answer is printed")
    parser.add_argument("--endpoint", help="of a running cluster; without it everything runs in this process")
    parser.add_argument("--data", help="folder of that cluster, to look at its processes' memory")
    options = parser.parse_args(arguments)
    with closing(_target(options)) as target:
        if options.only is not None:
            return _alone(target, options.seed, options.only)
        return _many(target, options)


def _many(target: Target, options: argparse.Namespace) -> int:
    where = f" --endpoint {options.endpoint} --data {options.data}" if options.endpoint else ""
    look_every = LOOK_EVERY["http" if options.endpoint else "in-process"]
    started = time.monotonic()
    findings = Fuzzer(target, options.seed, look_every, where).run(options.first, options.requests)
    _summary(findings, options.requests, time.monotonic() - started)
    return 1 if findings.faults else 0


def _target(options: argparse.Namespace) -> Target:
    if options.endpoint is None:
        return InProcess()
    return OverHttp(options.endpoint, pids_of(options.data) if options.data else {})


def _alone(target: Target, seed: int, number: int) -> int:
    asked = request(seed, number)
    target.begin()
    before, answer, after = target.contents(), target.ask(asked), target.contents()
    print(asked.operation, asked.headers, asked.body[:20_000].decode(errors="replace"), sep="\n")
    print(f"HTTP {answer.status}", answer.body[:2000].decode(errors="replace"), sep="\n")
    found = fault(answer)
    if is_refused(answer) and before != after:
        found = "a refused request changed something"
    print(found or "no fault")
    if answer.defect is not None:
        raise answer.defect
    return 1 if found else 0


def _summary(findings: Findings, requests: int, took_s: float) -> None:
    accepted = sum(count for name, count in findings.answered.items() if name.endswith(" 200"))
    slowest_s, number = findings.slowest
    print(
        f"{requests} requests in {took_s:.0f} s ({requests / took_s:.0f}/s), {accepted} accepted, "
        f"{findings.faults} faults; the slowest was number {number} with {slowest_s * 1000:.0f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
