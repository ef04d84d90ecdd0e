"""How far a plan is in a run folder: which pieces ended and how, and what they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tsgap.fits import Fit, Place
from tsgap.schedule import Pace
from tsgap.store import Head, Part, Store

#: Statuses that count as missing in the next run, and those that are tried again only when asked.
AGAIN, FAILED = ("crash", "skipped"), ("error", "timeout", "oom", "contract")
#: What the info of a part says of its rows.
ROWS, ROWS_FAILED = "windows", "windows_failed"


@dataclass(frozen=True, eq=False)
class Standing:
    """How each piece ended that did, the files that say so, and the pace of the forecasters."""

    status: Mapping[Place, str]
    heads: Mapping[Place, Head]
    pace: Pace

    @classmethod
    def of(cls, fits: Iterable[Fit], store: Store | None) -> Standing:
        """Where the pieces of these fits stand; a cell that ended in another cut ended in all its pieces."""
        heads = {} if store is None else store.heads()
        finished = {} if store is None else store.finished()
        status: dict[Place, str] = {}
        there: dict[Place, Head] = {}
        pace = Pace()
        for fit in fits:
            for piece in fit.pieces:
                found, ended = heads.get(piece.place), finished.get(piece.cell.key)
                if found is not None:
                    there[piece.place] = found
                    pace.learn(fit.group, fit.size / len(fit.pieces), float(found.info.get("seconds", 0.0)))
                if ended is not None and (ended == "ok" or found is None):
                    status[piece.place] = ended
                elif found is not None:
                    status[piece.place] = found.status
        return cls(status, there, pace)

    def is_done(self, place: Place, *, retry_failed: bool) -> bool:
        """Whether a piece needs no more work: it ended, and not in a way that is tried again."""
        status = self.status.get(place)
        return status is not None and status not in AGAIN and not (retry_failed and status in FAILED)

    def failed(self, place: Place) -> bool:
        """Whether a piece ended and has no forecast."""
        head = self.heads.get(place)
        return self.status.get(place, "ok") != "ok" or (head is not None and has_failed(head))


def has_failed(part: Part | Head) -> bool:
    """Whether a part has no forecast: it is not ok, or every window failed."""
    return part.status != "ok" or 0 < part.info.get(ROWS, 0) == part.info.get(ROWS_FAILED)
