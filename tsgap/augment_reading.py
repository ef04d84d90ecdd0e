"""What the arms of augmentation say, read from the rows and forecasts of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.atoms import Atoms, Ended, Truth
from tsgap.augmentation import (
    AUGMENTED,
    DUPLICATED,
    FIELDS,
    FRACTION,
    INNER,
    REAL,
    REWEIGHTED,
    SHARES,
    SYNTHETIC,
    Augmentation,
)
from tsgap.curve import FRACTIONS, effective_times
from tsgap.decomposition import HEADLINE, LEAST_EFFECTIVE, ArmLosses, InnerLosses
from tsgap.errors import ContractError
from tsgap.events import Event
from tsgap.evidence import Place, scored
from tsgap.gap import Clusters
from tsgap.horizon import METRIC_FAILED
from tsgap.ordering import EventScores, Ordered, ordering
from tsgap.panel import Floats, Ints
from tsgap.protocols import MetricSpec
from tsgap.residuals import corrected
from tsgap.situations import Contexts, thresholds

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
#: An arm and its share.
Arm = tuple[str, float]


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of a run: a metric, at which places of each data set, and how tables are read."""

    metric: MetricSpec
    places: Callable[[str], tuple[Place, ...]]
    read: Callable[[str], pd.DataFrame]
    leaks: Callable[[str, str], list[str]]


def augmentations(
    rows: Rows, atoms: Atoms, told: Mapping[str, Mapping[str, Any]], forecasters: Sequence[str], asked: Asked
) -> Iterator[Augmentation]:
    """Every source of every data set with each forecaster; `told` is what the manifest says, by data set."""
    by_place: dict[tuple[str, str, str], dict[Arm, list[Mapping[str, Any]]]] = {}
    for row in rows:
        arms = by_place.setdefault((row["data"], row["source"], row["forecaster"]), {})
        arms.setdefault((row["arm"], row["share"]), []).append(row)
    foreseen: dict[tuple[str, ...], Any] = {}
    for data, of_data in told.items():
        for subject in of_data["subjects"]:
            for forecaster in forecasters:
                there = by_place.get((data, subject["source"], forecaster), {})
                yield _Reading(data, subject, of_data, forecaster, there, atoms, asked, foreseen).found()


@dataclass(frozen=True, eq=False)
class _Reading:
    """One source and forecaster: its rows by arm, and what is told of it."""

    data: str
    subject: Mapping[str, Any]
    told: Mapping[str, Any]
    forecaster: str
    rows: Mapping[Arm, Rows]
    atoms: Atoms
    asked: Asked
    #: residuals by what they are made of: most sources have the same real arm
    foreseen: dict[tuple[str, ...], tuple[Floats, Floats] | None]
    missing: dict[str, str] = field(default_factory=dict)

    @cached_property
    def truth(self) -> Truth:
        return self.atoms.truth(self.data)

    def found(self) -> Augmentation:
        """The augmentation, or why there is none."""
        head: dict[str, Any] = {
            **{name: self.subject[name] for name in ("source", "cheap", "saw_inner", "fixed")},
            **{"data": self.data, "forecaster": self.forecaster, "metric": self.asked.metric.name},
            "places": self._places,
            "leaks": tuple(self.asked.leaks(self.data, self.subject["source"])),
        }
        refused = self.told["refused"].get(self.forecaster, "")
        if why := self.subject["why"] or refused:
            return Augmentation(why=why, **head)
        ended = self._ended("")
        if (REAL, 0.0) not in ended:
            return Augmentation(why=self.missing.get("real", "the real arm is missing"), **head)
        if head["leaks"]:
            return Augmentation(why="; ".join(head["leaks"]), **head)
        try:
            return self._measured(ended, head)
        except ContractError as err:
            return Augmentation(why=f"{METRIC_FAILED}: {err}", **head)

    @property
    def _places(self) -> tuple[Place, ...]:
        bins = self.asked.places(self.data)
        whole = (1, bins[-1][1])
        return bins if bins == (whole,) else (*bins, whole)

    def _measured(self, ended: Mapping[Arm, Sequence[Ended]], head: dict[str, Any]) -> Augmentation:
        n = len(self.truth.values)
        failed = np.stack([one.failures(n) > 0 for of in ended.values() for one in of])
        if failed.any(0).mean() > 0.5:
            return Augmentation(why="more than half of the windows failed in some arm", **head)
        losses = self._losses(ended, self.truth, self._places)
        draws = self._draws()
        arms = ArmLosses(
            losses[REAL, 0.0],
            Clusters.of(self.truth.series, self.truth.block, draws, np.asarray(losses[REAL, 0.0].any((0, 2)))),
            self.subject["pairs"],
            self.subject["context"],
            **{name: self._by_share(losses, name) for name in (AUGMENTED, DUPLICATED, REWEIGHTED)},
            fractions={q: losses[FRACTION, q] for q in FRACTIONS if (FRACTION, q) in losses},
            inner=self._inner(),
            residuals=None if self.subject["cheap"] else self._residuals(),
            synthetic_pairs=self.subject["other_pairs"] or None,
            weighted=bool(self._least(AUGMENTED, "weighted", False)),
            effective=self._least(REWEIGHTED, "effective", np.nan),
            root=self.asked.metric.aggregate == "root-mean",
            missing=self.missing,
        )
        event = {} if self.subject["cheap"] else self.told.get("event", {})
        return Augmentation(
            **head,
            stochastic=any(row["stochastic"] for row in self.rows[REAL, 0.0]),
            arms=arms,
            uneven=int((failed.any(0) & ~failed.all(0)).sum()),
            unanswered=int(failed.all(0).sum()),
            event=event.get("event", ""),
            events=self._events(ended, arms, draws, event) if event else (),
        )

    def _ended(self, stage: str) -> dict[Arm, Sequence[Ended]]:
        """How the arms of a stage ended, of which every replicate is there; the reason of the others is kept."""
        out: dict[Arm, Sequence[Ended]] = {}
        for (name, share), rows in self.rows.items():
            if name.startswith(INNER) != bool(stage):
                continue
            arm = name.removeprefix(INNER), share
            ended = [self.atoms.ended(row) for row in sorted(rows, key=lambda row: int(row["replicate"]))]
            bad = next((one.under(self.asked.metric) for one in ended if one.under(self.asked.metric) != "ok"), "")
            if bad:
                named = FIELDS[arm[0]]
                self.missing.setdefault("inner" if stage else named, f"{stage}{named} arm: {bad}")
            else:
                # one where all replicates are one cell
                out[arm] = ended[:1] if len({row["cell"] for row in rows}) == 1 else ended
        return out

    def _losses(self, ended: Mapping[Arm, Sequence[Ended]], truth: Truth, places: Sequence[Place]) -> dict[Arm, Floats]:
        """Losses (K, N, P) of each arm on the pairs that all of them have."""
        of = {f"{name} {share}": one for (name, share), one in ended.items()}
        reached = min(one.forecasts.shape[1] for each in ended.values() for one in each)
        found = scored(of, self.asked.metric, truth, places, None)
        untaught = np.array([last > reached for _, last in places])
        for one in found.losses.values():
            one[:, :, untaught] = np.nan
            # no error because of no pairs is not the same as no error
            one[:, :, ~found.counting.any(0)] = np.nan
        return {arm: found.losses[f"{arm[0]} {arm[1]}"] for arm in ended}

    def _by_share(self, losses: Mapping[Arm, Floats], name: str) -> dict[float, Floats]:
        return {share: losses[name, share] for share in SHARES if (name, share) in losses}

    def _draws(self) -> Ints:
        rows = self.rows.get((AUGMENTED, HEADLINE)) or self.rows[REAL, 0.0]
        return np.array([row["draw"] for row in sorted(rows, key=lambda row: int(row["replicate"]))], dtype=np.int64)

    def _least(self, name: str, what: str, default: Any) -> Any:
        """The least of what the cells of an arm, at any share, say; cells that failed say nothing."""
        cells = {row["cell"] for (arm, _), rows in self.rows.items() if arm == name for row in rows}
        told = [info[what] for cell in cells if what in (info := self.atoms.info(cell))]
        return min(told, default=default)

    @cached_property
    def inner_truth(self) -> Truth | None:
        rows = self.rows.get((INNER + REAL, 0.0))
        return self.atoms.truth_of(rows[0]) if rows else None

    @cached_property
    def inner_ended(self) -> dict[Arm, Sequence[Ended]]:
        return self._ended(INNER)

    def _inner(self) -> InnerLosses | None:
        """Losses over all leads on the inner windows."""
        ended, truth = self.inner_ended, self.inner_truth
        if truth is None or (REAL, 0.0) not in ended:
            self.missing.setdefault("inner", self.subject["inner_why"] or "the inner arms are missing")
            return None
        chosen = {arm: of for arm, of in ended.items() if arm[0] in (REAL, AUGMENTED)}
        losses = self._losses(chosen, truth, [(1, truth.values.shape[1])])
        return InnerLosses(losses[REAL, 0.0], self._by_share(losses, AUGMENTED))

    def _residuals(self) -> tuple[Floats, Floats] | None:
        """Squared errors of the real arm (1, N, P) in the units of its series, and what a richer model leaves."""
        names, ended, truth = self.told["contexts"].get(self.subject["source"], {}), self.inner_ended, self.inner_truth
        if truth is None or (REAL, 0.0) not in ended or "inner" not in names:
            self.missing.setdefault(
                "residuals", self.subject["inner_why"] or "there are no inner origins to learn from"
            )
            return None
        rows = (*self.rows[REAL, 0.0], *self.rows[INNER + REAL, 0.0])
        same = (names["inner"], names["test"], *sorted(str(row["cell"]) for row in rows))
        if same not in self.foreseen:
            self.foreseen[same] = self._foreseen(ended[REAL, 0.0], truth, names)
        found = self.foreseen[same]
        if found is None:
            few = f"{len(truth.values)} inner windows are too few for nothing found to mean that nothing is there"
            self.missing.setdefault("residuals", f"whether errors can be foretold is not known: {few}")
        return found

    def _foreseen(
        self, near_real: Sequence[Ended], truth: Truth, names: Mapping[str, str]
    ) -> tuple[Floats, Floats] | None:
        """What `_residuals` gives; None where the inner windows are too few."""
        near, far = (Contexts.read(names[stage], self.asked.read) for stage in ("inner", "test"))
        errors = self._errors(near_real, truth, near)
        tested = self._errors(self._ended("")[REAL, 0.0], self.truth, far)
        series = truth.series[near.rows]
        before, after = corrected(near.features, errors, far.features, tested, series=series, seed=0)
        if np.isnan(after).all():
            return None
        # back to the units of the metric's scale, so that no series rules
        scale = self.truth.scales["mae"][far.rows] / far.size
        weights = np.where(np.isfinite(scale) & (scale > 0), self.truth.weights[far.rows] / scale**2, 0.0)
        return (
            self._placed(before * weights[:, None], far.rows),
            self._placed(after * weights[:, None], far.rows),
        )

    def _errors(self, ended: Sequence[Ended], truth: Truth, contexts: Contexts) -> Floats:
        """Truth less the mean forecast of the replicates (n, H), as the forecaster's units have it."""
        mean = np.full(truth.values.shape, np.nan)
        reached = min(one.forecasts.shape[1] for one in ended)
        mean[:, :reached] = np.mean([one.forecasts[:, :reached] for one in ended], axis=0)
        return np.asarray((truth.values - mean)[contexts.rows] / contexts.size[:, None])

    def _placed(self, squares: Floats, rows: Ints) -> Floats:
        """Sums over the leads of each place (1, N, P); what is missing counts nothing, a place without any is NaN."""
        out = np.zeros((1, len(self.truth.values), len(self._places)))
        for place, (first, last) in enumerate(self._places):
            here = squares[:, first - 1 : last]
            out[0, rows, place] = np.nansum(here, axis=1)
            if np.isnan(here).all():
                out[:, :, place] = np.nan
        return out

    def _events(
        self, ended: Mapping[Arm, Sequence[Ended]], arms: ArmLosses, draws: Ints, told: Mapping[str, Any]
    ) -> tuple[Ordered, ...]:
        """How the arms order and call events: as many synthetic as real pairs."""
        event = Event.parse(told["event"])
        places = ((1, 1),) if event.within else self._places
        inner = None
        if self.inner_truth is not None and "inner" in told:
            inner = self._scored(event, self.inner_ended, self.inner_truth, told, "inner", None)
        if not arms.effective > LEAST_EFFECTIVE:
            # too few pairs in effect to say what other weights do to the order
            ended = {arm: of for arm, of in ended.items() if arm[0] != REWEIGHTED}
        found = self._scored(event, ended, self.truth, told, "test", inner)
        share = arms.synthetic_pairs if arms.weighted else None
        clusters = Clusters.of(self.truth.series, self.truth.block, draws)
        return ordering(found, clusters, places, times=effective_times(HEADLINE, arms.pairs, share))

    def _scored(
        self,
        event: Event,
        ended: Mapping[Arm, Sequence[Ended]],
        truth: Truth,
        told: Mapping[str, Any],
        stage: str,
        inner: EventScores | None,
    ) -> EventScores:
        threshold, scale = thresholds(told, stage, self.asked.read)
        probable = all(len(one.levels) > 1 for of in ended.values() for one in of)

        def score(one: Ended) -> Floats:
            told = one.quantiles if probable and one.quantiles is not None else one.forecasts
            # leads that were not taught are missing
            every = np.full((*truth.values.shape, *told.shape[2:]), np.nan)
            every[:, : told.shape[1]] = told
            return (
                event.probabilities(every, one.levels, threshold) if probable else event.scores(every, threshold, scale)
            )

        def scores(arm: Arm) -> Floats:
            return np.stack([score(one) for one in ended[arm]])

        names = {"real": (REAL, 0.0), "synthetic": (SYNTHETIC, 0.0)}
        names |= {name: (name, HEADLINE) for name in (AUGMENTED, DUPLICATED, REWEIGHTED)}
        return EventScores(
            event.labels(truth.values, threshold),
            {name: scores(arm) for name, arm in names.items() if arm in ended},
            call=event.call(probable=probable),
            fractions={q: scores((FRACTION, q)) for q in FRACTIONS if (FRACTION, q) in ended},
            inner=inner,
        )
