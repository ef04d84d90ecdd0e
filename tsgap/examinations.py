"""What the diagnostics say of several sources together, as it is kept in a run folder and shown to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tsgap import examination_formats
from tsgap.diagnostics import Contrast
from tsgap.errors import StoreError, UsageError
from tsgap.examination import Examination
from tsgap.store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Name of the table of a run folder that holds the diagnostics.
TABLE = "diagnostics"


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What the diagnostics say of each source; printed it says what stands out, with the noise floor beside."""

    found: tuple[Examination, ...]
    notes: tuple[str, ...] = ()
    contrasts: Mapping[tuple[str, str], Contrast] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether every diagnostic of every source ran to its end; what was found plays no part."""
        return bool(self.found) and all(one.ok for one in self.found)

    @property
    def leaked(self) -> bool:
        """Whether test data were found among the synthetic series of a source."""
        return any(one.leaks for one in self.found)

    def to_frame(self) -> pd.DataFrame:
        """One row for each figure: `data, source, diagnostic, figure, value` with its 95 % interval `low` to `high`.

        `reference` is the same figure for real against held-back real series, the noise floor, `ratio` the value over
        it; `p` that of a permutation of series. `flag` is "", ``warn`` (proven to differ), ``not measurable`` or
        ``failed``; `advice` says what to do, or why not; `detail` what the figure rests on.
        """
        return examination_formats.frame_of(self.found)

    def worst(self) -> pd.DataFrame:
        """One row for each synthetic sample that stands out: `series, start, length, score` and the `reason`."""
        return examination_formats.samples_of(self.found)

    def to_json(self) -> str:
        """Everything as JSON; what is not known is null."""
        return examination_formats.json_of(self.found, self.notes)

    def to_markdown(self, *, every: bool = False) -> str:
        """Sentences, and the text folded, for a comment under a pull request; `every` as in `to_text`."""
        return examination_formats.markdown_of(self.found, self.notes, every=every)

    def to_text(self, *, every: bool = False) -> str:
        """What is printed: sentences, the headline of each diagnostic, all that is warned of, three samples each.

        With `every` all figures and samples and what each diagnostic looked at.
        """
        return examination_formats.text_of(self.found, self.notes, every=every)

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return examination_formats.html_of(self.found)


def of_store(store: Store, keep: Callable[[str, str], bool]) -> Diagnostics:
    """What was recorded in a run folder of the (data set, source) to `keep`; `UsageError` where nothing was."""
    if not store.read_json("manifest")["experiment"].get("diagnose"):
        raise UsageError(
            f"{store.path}: nothing was diagnosed; run the sweep with --diagnose (diagnose=True), or 'tsgap diagnose'"
        )
    try:
        kept = store.read_json(TABLE)
    except StoreError:
        kept = {}
    if not kept:
        raise UsageError(
            f"{store.path}: its diagnostics are not made yet: they come last; the same sweep again goes on with them"
        )
    found = (Examination.of_told(one["examination"]) for one in kept.values())
    return Diagnostics(tuple(one for one in found if keep(one.data, one.source)))
