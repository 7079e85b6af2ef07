"""How a cluster's API is guarded: access keys, a certificate, and the address it is served on.

What `--auth`, `--tls-cert` and `--tls-key` said is kept with the cluster, as its port is: `up` without flags must not
open what was closed. `off` takes it away again.
"""

from __future__ import annotations

from pathlib import Path

from dynabus.adapters.access_keys import AccessKeysError, read_access_keys
from dynabus.adapters.ports import is_loopback
from dynabus.adapters.tls import TlsError, server_context
from dynabus.cli.cluster import ROUTER, Cluster
from dynabus.cli.problem import Problem

OFF = "off"


def change_door(known: Cluster, auth: str | None, tls_cert: str | None, tls_key: str | None) -> None:
    """Take the flags over, None where one was not given. Raises Problem where the routers that run have others."""
    wanted_auth = _path(auth, known.auth)
    if tls_key is not None and (tls_cert or known.tls_cert) in (None, OFF):
        raise Problem("--tls-key: a key needs its certificate, --tls-cert")
    wanted_cert, wanted_key = _path(tls_cert, known.tls_cert), _path(tls_key, None if tls_cert else known.tls_key)
    wanted = (wanted_auth, wanted_cert, wanted_key if wanted_cert else None)
    if wanted == (known.auth, known.tls_cert, known.tls_key):
        return
    if any(router.is_alive for router in known.of(ROUTER)):
        raise Problem(
            "this cluster's routers run with other access keys or another certificate: `dynabus down` first "
            "(a file that is changed in its place is read again by itself)"
        )
    known.auth, known.tls_cert, known.tls_key = wanted


def _path(flag: str | None, known: str | None) -> str | None:
    """Absolute: the next `up` may be called from another folder."""
    if flag is None:
        return known
    return None if flag == OFF else str(Path(flag).resolve())


def check_door(cluster: Cluster) -> None:
    """Raise Problem where a router could not start with these files: here it is one line, there a log."""
    try:
        if cluster.auth:
            read_access_keys(Path(cluster.auth))
        if cluster.tls_cert:
            server_context(Path(cluster.tls_cert), Path(cluster.tls_key) if cluster.tls_key else None)
    except (AccessKeysError, TlsError) as error:
        raise Problem(str(error)) from error


def environment(cluster: Cluster) -> dict[str, str]:
    """The variables of a router; empty ones too, since the environment of `up` is handed on."""
    return {
        "DYNABUS_AUTH": cluster.auth or "",
        "DYNABUS_TLS_CERT": cluster.tls_cert or "",
        "DYNABUS_TLS_KEY": cluster.tls_key or "",
    }


def who_may(cluster: Cluster) -> str:
    """Who may use the API, for the person who started it."""
    if cluster.auth:
        return f"requests must be signed with an access key of {cluster.auth}"
    if is_loopback(cluster.host):
        return f"open: any access key is accepted, on {cluster.host} only"
    return f"OPEN TO WHOEVER REACHES {cluster.host}: any access key is accepted; --auth FILE closes it"
