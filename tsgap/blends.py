"""What an arm of augmentation learns from: real and synthetic pairs in given shares, as moments or as a panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tsgap.additive import GROUPS, Grouping, moments_by_group
from tsgap.errors import ForecastError
from tsgap.footing import Footing, count_pairs, subsample
from tsgap.panel import Floats, Ints, Panel, frozen
from tsgap.protocols import Additive, Forecaster, ForecasterSpec
from tsgap.ragged import offsets_of
from tsgap.weighting import Ratio, classes, density_ratio, drawn

#: Slices that the real panel is cut into for sub-samples of it.
SLICES = 20


@dataclass(frozen=True)
class Blend:
    """Shares of what is learned from, in pairs (context, leads) to each real pair.

    `real`: all real pairs, or those of its `slices` alone where some are named: of its series where there are many,
    else of time, which they always are as `periods`. On top of them `duplicated` real pairs, `reweighted` real pairs as
    far as they look like the synthetic ones, and `synthetic` pairs. Without `real` the synthetic series are all there
    is. `seed` draws pairs for a forecaster that takes neither weights nor moments.
    """

    real: bool = True
    slices: tuple[int, ...] = ()
    periods: bool = False
    duplicated: float = 0.0
    reweighted: float = 0.0
    synthetic: float = 0.0
    seed: int = 0

    @property
    def content(self) -> dict[str, Any]:
        """As part of a cell's content."""
        return asdict(self)


def adds_moments(spec: ForecasterSpec, quantiles: Sequence[float]) -> bool:
    """Whether a forecaster is known to learn blends as weighted sums of moments: nothing is drawn for it."""
    return isinstance(spec.build, type) and issubclass(spec.build, Additive) and not quantiles


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a panel that is read in blocks: `read(rows)` gives some of them, scaled as they are learned.

    `lengths` (N,) and `series` are those of all rows.
    """

    read: Callable[[Ints], Panel]
    lengths: Ints
    series: Sequence[str]

    @cached_property
    def whole(self) -> Panel:
        """All of them at once."""
        return self.read(np.arange(len(self.lengths)))


@dataclass(frozen=True, eq=False)
class Stock:
    """What blends are made of: real and synthetic rows, and the windows of `context` values and `leads` in them.

    `others` are the synthetic rows, None where there are none.
    """

    real: Rows
    others: Rows | None
    context: int
    leads: int
    season: int

    def pairs(self, rows: Rows) -> int:
        """Pairs that rows hold."""
        return int(count_pairs(rows.lengths, self.context, self.leads).sum())

    def grouping(self, rows: Rows, groups: int) -> Grouping:
        """Rows in so many groups."""
        return Grouping.of(rows.lengths, rows.series, context=self.context, leads=self.leads, groups=groups)

    @cached_property
    def stretches(self) -> Grouping:
        """The real rows in stretches that are weighted, or drawn again, as one."""
        return Grouping.stretches(self.real.lengths, context=self.context, leads=self.leads)

    @cached_property
    def synthetic(self) -> Rows:
        """The synthetic rows; `ForecastError` where they hold no pair."""
        if self.others is None or not self.pairs(self.others):
            raise ForecastError(
                f"the synthetic series hold no context of {self.context} values with {self.leads} leads after it"
            )
        return self.others

    @cached_property
    def ratio(self) -> Ratio:
        """How much each stretch of the real rows looks like the synthetic ones."""
        real, others = self.real.read, self.synthetic
        return density_ratio(real, others.read, self.stretches, others.lengths, season=self.season, seed=0)


class Blending:
    """Teaches forecasters one blend after the other from one stock; moments are gathered once for all of them.

    `weighted`: the forecaster takes weights of rows. `quantiles`: it is to give quantiles, which moments do not tell.
    """

    def __init__(self, stock: Stock, *, weighted: bool = False, quantiles: bool = False) -> None:
        self.stock = stock
        self._weighted = weighted
        self._quantiles = quantiles
        self._moments: dict[str, Mapping[int, Any]] = {}

    def teach(self, forecaster: Forecaster, blend: Blend, *, horizon: int, seed: int) -> bool:
        """Fit, or solve from moments; whether synthetic pairs are weighted, so that all of them count."""
        if isinstance(forecaster, Additive) and not self._quantiles:
            forecaster.solve(self._parts(forecaster, blend), seed=seed)
            return True
        forecaster.fit(self.panel(blend), horizon=horizon, context=self.stock.context, seed=seed)
        return self._weighted

    def _parts(self, forecaster: Additive, blend: Blend) -> list[Any]:
        """Moments of the groups of a blend. Duplicates teach an additive forecaster nothing: they are left away."""
        stock, sums = self.stock, dict[int, Any]()

        def add(parts: Mapping[int, Any], slices: Grouping, weight: float) -> None:
            in_time = bool(slices.first.any())
            for piece, part in parts.items():
                # what is left out to choose a ridge: series in turn with their twins, or neighbours in time together
                group = piece * GROUPS // SLICES if in_time else piece % GROUPS
                more = part if weight == 1.0 else part * weight
                sums[group] = sums[group] + more if group in sums else more

        if blend.real and blend.periods:
            of_period = self._kept("periods", lambda: moments_by_group(forecaster, stock.real.read, self._periods))
            for label, part in of_period.items():
                if label % SLICES in blend.slices:
                    # a ridge is chosen by the same groups as with all pairs
                    group = label // SLICES
                    sums[group] = sums[group] + part if group in sums else part
        elif blend.real:
            real = self._kept("real", lambda: moments_by_group(forecaster, stock.real.read, self._slices))
            add({k: part for k, part in real.items() if not blend.slices or k in blend.slices}, self._slices, 1.0)
        if blend.reweighted:
            add(self._kept("reweighted", lambda: self._reweighted(forecaster)), self._slices, blend.reweighted)
        if blend.synthetic:
            rows = stock.synthetic
            grouping = stock.grouping(rows, SLICES)
            share = stock.pairs(stock.real) / stock.pairs(rows)
            others = self._kept("synthetic", lambda: moments_by_group(forecaster, rows.read, grouping))
            add(others, grouping, blend.synthetic * share)
        if not sums:
            raise ForecastError(
                f"no series holds a context of {stock.context} values with {stock.leads} leads after it"
            )
        return [sums[group] for group in sorted(sums)]

    @cached_property
    def _slices(self) -> Grouping:
        return self.stock.grouping(self.stock.real, SLICES)

    @cached_property
    def _periods(self) -> Grouping:
        """Slices of time of each of the groups that all pairs have, numbered group by group."""
        stock = self.stock
        of = {"context": stock.context, "leads": stock.leads}
        cut = Grouping.of(stock.real.lengths, stock.real.series, groups=SLICES, in_time=True, **of)
        return _crossed(stock.grouping(stock.real, GROUPS), cut, SLICES)

    def _kept(self, name: str, gather: Callable[[], Mapping[int, Any]]) -> Mapping[int, Any]:
        if name not in self._moments:
            self._moments[name] = gather()
        return self._moments[name]

    def _reweighted(self, forecaster: Additive) -> Mapping[int, Any]:
        """Moments of the real rows by slice, each stretch by its weight: one pass, like weights together."""
        stock, cut = self.stock, self.stock.stretches
        number, mean = classes(stock.ratio.weights, cut.windows)
        sums: dict[int, Any] = {}
        labelled = _crossed(self._slices, replace(cut, group=number), len(mean))
        for label, part in moments_by_group(forecaster, stock.real.read, labelled).items():
            piece, weight = label // len(mean), float(mean[label % len(mean)])
            sums[piece] = sums[piece] + part * weight if piece in sums else part * weight
        return sums

    def panel(self, blend: Blend) -> Panel:
        """A blend as one panel: with weights of rows, or with so many pairs drawn by its seed."""
        stock = self.stock
        if not blend.real:
            return stock.synthetic.whole
        real, pairs = stock.real.whole, stock.pairs(stock.real)
        for share in (blend.duplicated, blend.reweighted, blend.synthetic):
            if share and not self._weighted and not round(share * pairs):
                raise ForecastError(f"a share of {share:g} of {pairs} real pairs is less than one pair")
        slices = self._periods if blend.periods else self._slices
        kept = np.flatnonzero(np.isin(slices.group % SLICES, blend.slices))
        base = [slices.cut(real, kept) if blend.slices else real]
        cut = stock.stretches
        ways: tuple[tuple[float, Callable[[], Floats]], ...] = (
            (blend.duplicated, lambda: np.ones(len(cut.row))),
            (blend.reweighted, lambda: stock.ratio.weights),
        )
        for share, weights in ways:
            if share and self._weighted:
                again = cut.cut(real, np.arange(len(cut.row)))
                base.append(_weighing(again, share * weights()))
            elif share:
                base.append(drawn(cut, weights(), real, pairs=round(share * pairs), seed=blend.seed))
        if blend.synthetic:
            others, many = stock.synthetic.whole, stock.pairs(stock.synthetic)
            if self._weighted:
                base.append(_weighing(others, np.full(len(others), blend.synthetic * pairs / many)))
            else:
                copies, rest = divmod(round(blend.synthetic * pairs), many)
                base += [others] * copies
                if rest:
                    footing = Footing("", stock.context, False, stock.leads)
                    base.append(subsample(others, rest, footing, blend.seed))
        return joined(base)


def _crossed(coarse: Grouping, fine: Grouping, n: int) -> Grouping:
    """The same rows cut wherever either is cut; the group is that of the coarse one times `n` plus that of the fine."""
    most = int(count_pairs(coarse.lengths, coarse.context, coarse.leads).max(initial=0)) + 1
    starts = [of.row * most + of.first for of in (coarse, fine)]
    ends = coarse.row * most + coarse.first + coarse.windows
    begins = np.union1d(*starts)
    inside, other = (np.searchsorted(of, begins, side="right") - 1 for of in starts)
    windows = np.minimum(np.append(begins[1:], ends[-1:]), ends[inside]) - begins
    row, first = begins // most, begins % most
    return replace(coarse, row=row, first=first, windows=windows, group=coarse.group[inside] * n + fine.group[other])


def _weighing(panel: Panel, weights: Floats) -> Panel:
    own = np.ones(len(panel)) if panel.weights is None else panel.weights
    return replace(panel, weights=frozen(own * weights))


def joined(panels: Sequence[Panel]) -> Panel:
    """The rows of several panels; those of the first keep their keys, the others get new ones and keep their series."""
    first, *more = panels
    if not more:
        return first
    label = "added"
    while any(key.startswith(label) for key in first.keys):
        label = f"_{label}"
    rows = sum(map(len, more))
    weights = None
    if any(panel.weights is not None for panel in panels):
        each = [np.ones(len(panel)) if panel.weights is None else panel.weights for panel in panels]
        weights = frozen(np.concatenate(each))
    return replace(
        first,
        values=frozen(np.concatenate([panel.values for panel in panels])),
        offsets=frozen(offsets_of(np.concatenate([panel.lengths for panel in panels]))),
        keys=(*first.keys, *(f"{label} {i}" for i in range(rows))),
        series=tuple(name for panel in panels for name in panel.series),
        groups={},
        weights=weights,
    )
