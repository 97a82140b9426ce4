"""A small replica that real Litestream 0.3.13 wrote, for whoever has none at hand."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib import resources

_NAME = "app.db-replica"


def make_sample(folder: str) -> str:
    """Unpack the sample into a folder and return the replica's path.

    File times decide what a restore takes, so they are set to the ns: tarfile alone rounds them to a float.
    """
    source = resources.files("litetui").joinpath("sample.tar.gz")
    with source.open("rb") as packed, tarfile.open(fileobj=packed, mode="r:gz") as archive:
        members = archive.getmembers()
        archive.extractall(folder, members, filter="data")
    for member in reversed(members):  # folders after what is in them
        ns = int(Decimal(member.pax_headers.get("mtime", str(member.mtime))) * 10**9)
        os.utime(os.path.join(folder, member.name), ns=(ns, ns))
    return os.path.join(folder, _NAME)


@contextmanager
def sample() -> Iterator[str]:
    """The sample in a temporary folder, which is gone afterwards."""
    folder = tempfile.mkdtemp(prefix="litetui-demo-")
    try:
        yield make_sample(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
