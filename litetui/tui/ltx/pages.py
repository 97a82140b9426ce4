"""What an LTX file holds, read for the screen: header, pages and where they are, and where it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litetui.errors import DamageError
from litetui.format.ltx_header import LTXError
from litetui.jobs.progress import CancelToken, Reporter

if TYPE_CHECKING:
    from litetui.format import ltx
    from litetui.format.ltx_header import LTXHeader
    from litetui.replica.ltx import LTXReplica
    from litetui.replica.types import LTXInfo


@dataclass(frozen=True, slots=True, eq=False)
class LTXPages:
    """The pages of a file, ascending, as columns; `problem` is what ended the reading before the end of the file.

    pages   their numbers
    places  where each begins in the file
    sizes   bytes that each takes there
    """

    header: LTXHeader
    trailer: ltx.Trailer | None
    pages: Any
    places: Any
    sizes: Any
    problem: DamageError | None

    def __len__(self) -> int:
        return len(self.pages)


def read_pages(replica: LTXReplica, info: LTXInfo, report: Reporter, cancel: CancelToken) -> LTXPages:
    """Read a whole file, all of its checksums verified. Blocks; raises DamageError where not even its header is sound,
    UnreadableError, ChangedError, Cancelled."""
    import numpy as np

    from litetui.format import ltx

    pages: list[Any] = [np.zeros(0, np.uint32)]
    places: list[Any] = [np.zeros(0, np.int64)]
    sizes: list[Any] = [np.zeros(0, np.int64)]
    problem: DamageError | None = None
    trailer: ltx.Trailer | None = None
    report.phase(info.name, info.size)
    with replica.open(info) as file:
        try:
            decoder = ltx.Decoder(file)
        except LTXError as error:
            raise replica.damage(info, error) from None
        header = decoder.header
        try:
            _check_name(info, header)
            for batch in decoder.batches():
                cancel.check()
                report.advance(batch.places[-1])
                at = np.array(batch.places, np.int64)
                pages.append(batch.pages)
                places.append(at[:-1])
                sizes.append(np.diff(at))
            trailer = decoder.trailer
        except LTXError as error:
            problem = replica.damage(info, error)
    return LTXPages(header, trailer, np.concatenate(pages), np.concatenate(places), np.concatenate(sizes), problem)


def _check_name(info: LTXInfo, header: LTXHeader) -> None:
    if (header.min_txid, header.max_txid) != (info.min_txid, info.max_txid):
        cause = f"its header says TXIDs {header.min_txid:016x} to {header.max_txid:016x}: it is another file"
        raise LTXError(cause, 16, "ltx-name")
