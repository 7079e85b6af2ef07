"""The processes of a cluster."""

from __future__ import annotations

import json
import subprocess
import sys


def pids_of(data: str) -> dict[str, int]:
    """Names and pids of Dynabus's processes, as `dynabus status` tells them; those that are dead are an error."""
    command = [sys.executable, "-m", "dynabus.cli.main", "status", "--json", "--data", data]
    status = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return {process["name"]: int(process["pid"]) for process in status["processes"]}
