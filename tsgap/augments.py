"""When does adding synthetic data help, and is there room for any? One sweep over the arms of augmentation says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsgap import augment_formats, augment_tables
from tsgap.augment_diagnosis import NOT_MEASURABLE
from tsgap.augment_words import place_of
from tsgap.augmentation import Augmentation
from tsgap.plugins import registry
from tsgap.run import Run
from tsgap.sweeps import sweep

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.records import Names

#: Forecasters where none is named: one that learns all arms from one pass over the series.
FORECASTERS = ("linear",)


@dataclass(frozen=True, eq=False)
class Augmentations:
    """What adding each source to the real series does, by data set and forecaster; printed it says so in sentences."""

    run: Run
    metric: str
    found: tuple[Augmentation, ...]

    @classmethod
    def of(cls, run: Run, metric: str = "mase", **only: Names) -> Augmentations:
        """Those of a run; `only` are `data`, `source` and `forecaster`."""
        return cls(run, metric, tuple(run.augmentations(metric, **only)))

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.run.path

    @property
    def ok(self) -> bool:
        """Whether no cell failed or is missing, every source was measured, and a verdict over all leads was reached."""
        own = [one for one in self.found if not one.cheap]
        measured = not any(one.why for one in own)
        reached = measured and any(one.diagnoses[-1].state != NOT_MEASURABLE for one in own)
        return self.run.complete and not self.run.n_failed and reached

    @property
    def notes(self) -> list[str]:
        """What was filled, dropped or cut, and on what footing the arms stand: scaling and context."""
        manifest, cells = self.run.manifest, self.run.cells()
        data, hidden = {one.data for one in self.found}, set(cells.source) - {one.source for one in self.found}
        told = []
        for note in manifest["notes"]:
            of, _, rest = note.partition(": ")
            if of not in manifest["data"] or (of in data and rest.partition(": ")[0] not in hidden):
                told.append(note)
        for one in self.found:
            if one.why or one.cheap:
                continue
            same = (cells.data == one.data) & (cells.source == one.source) & (cells.forecaster == one.forecaster)
            footing = cells[same & cells.context.notna()].drop_duplicates(["scaling", "context"])
            for scaling, context in zip(footing.scaling, footing.context, strict=True):
                told.append(f"{place_of(one)}: scaling {scaling}, context {context:.0f}")
        return [*told, *self.run.warnings]

    def to_frame(self) -> pd.DataFrame:
        """One row for each data set, source, forecaster and place (leads `first` to `last`; the last is all leads).

        All figures are ln ratios of mean errors, below 0 where the arm is better, with 95 % intervals `…_low` to
        `…_high`. `verdict` and its `reason`; `share` is the λ that inner origins chose, `gain` what it does against the
        real arm, `gain_duplicates` against duplicates, `effect` the same in a word. At λ = 1: `total` = `size` +
        `reweight` + `shortfall`, `duplicates` is the mechanical check, `worth` how many further real pairs would do the
        same. `half` is what half of the real pairs cost, `predictability` the R² with which errors can be foretold.
        `rival` is the best simple augmentation by inner error, `against_rival` the source against it, each at its own
        share. `status` is ok, or why nothing could be measured.
        """
        return augment_tables.frame_of(self.found)

    def responses(self) -> pd.DataFrame:
        """One row for each share λ and place: what it changes on the test, and `inner`, on inner origins.

        The test is shown and chooses nothing. `worth_told` says in words how many real pairs that is worth.
        """
        return augment_tables.responses_of(self.found)

    def events(self) -> pd.DataFrame:
        """One row for each arm, change and part of each place: how well events are ordered and called.

        Empty without `event`. Changes are `augmented - …`, above 0 is better; parts are those of the AUROC.
        """
        return augment_tables.events_of(self.found)

    def to_json(self) -> str:
        """Sentences and all tables as JSON; what is not known or not finite is null."""
        return augment_formats.json_of(self.found, self.metric, str(self.folder), self.notes)

    def to_markdown(self) -> str:
        """Sentences, and the rest folded, for a comment under a pull request."""
        return augment_formats.markdown_of(self.found, self.notes)

    def __str__(self) -> str:
        return augment_formats.text_of(self.found, self.notes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return augment_formats.html_of(self.found)


class Saturation(Augmentations):
    """Whether the real series leave room for more data, by forecaster; printed it says so in sentences."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each data set, forecaster and place (leads `first` to `last`; the last is all leads).

        `recommendation` and its `reason`; `half` is ln of the mean error with half of the pairs over that with all,
        `double` the same with twice as many, read off the learning curve; `predictability` the R² with which the errors
        can be foretold from what was known; each with its 95 % interval `…_low` to `…_high`.
        """
        return augment_tables.room_of(self.found)


def augment(
    real: Any,
    synthetic: Any,
    *,
    forecasters: Sequence[Any] | Mapping[str, Any] | Any = FORECASTERS,
    metric: str = "mase",
    cheap: bool = True,
    event: str = "",
    **settings: Any,
) -> Augmentations:
    """Add synthetic series to real ones: does that help, why, how much of them, and would something simpler do?

    `real`, `synthetic` and `settings` as in `tsgap.sweep`, with the same split: horizons, windows, replicates, seed,
    reading, `out`, `jobs` and so on. `cheap` adds simple augmentations of the real series, which a source has to beat.
    `event`, like ``"y > q0.95"``, asks for rare events too. Forecasters that learn each series by itself are refused,
    with the reason, in the result.
    """
    registry().named("metrics", metric)
    settings = {"null": False} | settings
    run = sweep(real, synthetic, forecasters=forecasters, augment="only", cheap=cheap, event=event, **settings)
    return Augmentations.of(run, metric)


def saturation(
    real: Any,
    *,
    forecasters: Sequence[Any] | Mapping[str, Any] | Any = FORECASTERS,
    metric: str = "mase",
    **settings: Any,
) -> Saturation:
    """Is there room for more data, before any is made: learning curve and predictable errors of real series alone.

    `real` and `settings` as in `tsgap.sweep`.
    """
    registry().named("metrics", metric)
    run = sweep(real, None, forecasters=forecasters, augment="only", **({"null": False} | settings))
    return Saturation(run, metric, tuple(run.augmentations(metric)))


def of_run(run: Run, metric: str = "mase", **only: Any) -> Augmentations:
    """What a run says: `Saturation` where nothing was added, else `Augmentations`."""
    found = Augmentations.of(run, metric, **only)
    alone = found.found and all(not one.source for one in found.found)
    return Saturation(run, metric, found.found) if alone else found


__all__ = ["Augmentations", "Saturation", "augment", "of_run", "saturation"]
