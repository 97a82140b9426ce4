"""Prometheus metrics of a replicator, under the names of Litestream 0.3.13 and with its labels.

Read from the replicator's own counters when somebody asks: replication itself pays nothing for them. Needs the extra
`metrics` (prometheus-client). Litestream's counters do not end in `_total`, but for one, so they are exposed without
a type.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from litetui.errors import LitetuiError, UsageError
from litetui.ops.replicate import Replicator

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Kind = Literal["gauge", "counter", "unknown"]
Row = tuple[dict[str, str], float]


@contextmanager
def serve(address: str, replicator: Replicator) -> Iterator[None]:
    """Serve the metrics at `HOST:PORT/metrics` until the context ends. Raises LitetuiError."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError:
        raise LitetuiError(
            "serve metrics", "prometheus-client is not installed", hint="pip install 'litetui[metrics]'"
        ) from None
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise UsageError("serve metrics", f"{address!r} is no HOST:PORT", hint="--metrics 127.0.0.1:9090")
    registry = CollectorRegistry()
    registry.register(Collector(replicator))
    try:
        server, thread = start_http_server(int(port), host.strip("[]") or "0.0.0.0", registry)
    except OSError as error:
        raise LitetuiError("serve metrics", f"{address}: {error.strerror}", hint="take another port") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Collector:
    """Makes all metrics anew each time they are asked for."""

    def __init__(self, replicator: Replicator) -> None:
        self._replicator = replicator

    def collect(self) -> Iterable[Metric]:
        database = self._replicator.database
        db, counters, pos = {"db": database.path}, database.counters, database.pos()
        yield _family("db_size", "gauge", "Bytes of the database's file", [(db, _size(database.path))])
        yield _family("wal_size", "gauge", "Bytes of the real WAL's file", [(db, _size(database.wal_path))])
        yield _family("total_wal_bytes", "unknown", "Bytes written to shadow WALs", [(db, counters.wal_bytes)])
        yield _family("shadow_wal_index", "gauge", "Index of the shadow WAL", [(db, pos.index)])
        yield _family("shadow_wal_size", "gauge", "Bytes of the shadow WAL", [(db, pos.offset)])
        yield _family("sync_count", "unknown", "Syncs of the shadow WAL", [(db, counters.syncs)])
        yield _family("sync_error_count", "unknown", "Syncs that failed", [(db, counters.sync_errors)])
        yield _family("sync_seconds", "unknown", "Seconds spent on syncs", [(db, counters.sync_seconds)])
        modes = [({**db, "mode": mode}, one) for mode, one in sorted(database.checkpoints.items())]
        yield _family("checkpoint_count", "unknown", "Checkpoints", [(at, c.count) for at, c in modes])
        hindered = "Checkpoints that readers or locks kept from their end"
        yield _family("checkpoint_error_count", "unknown", hindered, [(at, c.errors) for at, c in modes])
        yield _family("checkpoint_seconds", "unknown", "Seconds of checkpoints", [(at, c.seconds) for at, c in modes])
        own = [({**db, "name": one.name}, one) for one in self._replicator.state().replicas]
        yield _family("replica_wal_bytes", "unknown", "Bytes of WAL written", [(at, r.wal_bytes) for at, r in own])
        yield _family("replica_wal_index", "gauge", "Index of the position", [(at, r.pos.index) for at, r in own])
        yield _family("replica_wal_offset", "gauge", "Offset of the position", [(at, r.pos.offset) for at, r in own])
        done = [
            ({**db, "name": name, "status": status}, count)
            for name, counts in self._replicator.validator.counts.items()
            for status, count in counts.items()
        ]
        yield _family("replica_validation_total", "counter", "Comparisons with the database", done)


def _family(name: str, kind: Kind, help: str, values: Iterable[Row]) -> Metric:
    from prometheus_client.core import Metric

    name = f"litestream_{name}"
    family = Metric(name.removesuffix("_total"), help, kind)
    for labels, value in values:
        family.add_sample(name, labels, value)
    return family


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
