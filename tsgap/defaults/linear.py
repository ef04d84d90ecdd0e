"""Direct multi-step least squares in closed form: the forecaster that sees every linear dependence in a context.

Toner & Darlow (2024), "An Analysis of Linear Time Series Forecasting Models", ICML: with the mean of the context
subtracted it is what the linear neural forecasters converge to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tsgap.additive import Grouping, fit_by_moments, without
from tsgap.errors import ForecastError, UsageError
from tsgap.footing import count_pairs, reach
from tsgap.moments import Level, Moments, chosen_ridge, less_level, moments_of, total
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import Forecast, ForecasterSpec
from tsgap.ragged import summed

_BLOCK = 8192
#: At most this many training pairs, and this many of their errors in all leads together, give the quantiles.
PAIRS, ERRORS = 100_000, 2**22
#: Ridge where there are too few groups of series to choose one by leaving them out.
UNCHOSEN = 1e-3
#: What a training row is divided by is no smaller share of its standard deviation, and of its mean absolute value.
_LEAST_NOISE, _LEAST_SPREAD = 0.05, 1e-6


class Linear:
    """Least squares from the last `look_back` values, less their level, to every lead; ridge against collinearity.

    `ridge` is relative to the mean second moment of a context value; None: the one that forecasts best those groups of
    training series that are left out in turn. `look_back` None: all of the context. `normalise`: what is subtracted
    from a window, the ``"mean"`` of those values or the ``"last"`` one.

    Every training row counts divided by the root mean square of its seasonal differences, so that no few noisy series
    rule the others; a forecast moves and stretches with its history, and needs no such number.

    Quantiles are the forecast plus the quantiles of the errors on the training pairs, lead by lead, pooled over series
    (scaled, as they come): the same for every history. Each group of series (or stretch of time, where they are few) is
    forecast from the others, with the ridge of all: errors of pairs that were learned from are too small where these
    are few for the context.
    """

    def __init__(self, ridge: float | None = None, look_back: int | None = None, normalise: Level = "mean") -> None:
        if ridge is not None and not (_is_number(ridge) and 0 <= ridge < np.inf):
            raise UsageError(f"ridge must be a number from 0, or none to have it chosen, got {ridge!r}")
        if look_back is not None and not (_is_number(look_back) and look_back == int(look_back) >= 1):
            raise UsageError(f"look_back must be a whole number of values from 1, got {look_back!r}")
        if normalise not in ("mean", "last"):
            raise UsageError(f"normalise is 'mean' or 'last', got {normalise!r}")
        self.ridge = ridge
        self.look_back = None if look_back is None else int(look_back)
        self.normalise: Level = normalise
        self._train: Panel | None = None
        self._before = 0  # values of a training context before those that are looked at
        self._errors: Floats | None = None

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Gather the second moments of all windows of context and leads, and solve."""
        wanted = context or self.look_back
        context, _ = reach(train.lengths, train.seasons, horizon=horizon, context=wanted)
        fit_by_moments(self, train, horizon=horizon, context=context, seed=seed)
        self._train, self._before = train, context - self.context

    def prepared(self, train: Panel) -> Panel:
        """Every row divided by its `spread`."""
        return train.with_values(train.values / np.repeat(spread(train), train.lengths))

    def moments(self, train: Panel, *, horizon: int, context: int) -> Moments:
        """Moments of all windows of `context` values and `horizon` leads, of which the last `look_back` are used."""
        own = self._own(context)
        return moments_of(
            train.values,
            train.offsets[:-1] + context - own,
            train.lengths - (context - own),
            context=own,
            leads=horizon,
            level=self.normalise,
        )

    def solve(self, moments: Sequence[Moments], *, seed: int) -> None:
        """Least squares from the moments of groups of series, with the ridge that their parts choose."""
        whole = total(moments)
        chosen = self.ridge if self.ridge is not None else chosen_ridge(moments)
        self.chosen_ridge = UNCHOSEN if chosen is None else chosen
        self.coefficients: Floats = whole.coefficients(self.chosen_ridge)
        self.context = len(self.coefficients)
        self._groups = tuple(moments)
        self._train = self._errors = None

    def _own(self, context: int) -> int:
        """How many of the context's values are looked at."""
        if self.look_back is not None and self.look_back > context:
            raise ForecastError(
                f"look_back={self.look_back} is more than the context of {context} values; ask for a shorter "
                f"look_back, or for a longer context (--context {self.look_back})"
            )
        return self.look_back or context

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast from the last `look_back` values of every row; a shorter row fails."""
        c, leads = self.context, min(horizon, self.coefficients.shape[1])
        ready = np.flatnonzero(history.lengths >= c)
        mean = np.full((len(history), leads), np.nan)
        for start in range(0, len(ready), _BLOCK):
            rows = ready[start : start + _BLOCK]
            x = history.values[history.offsets[rows + 1][:, None] + np.arange(-c, 0)]
            level = x.mean(1, keepdims=True) if self.normalise == "mean" else x[:, -1:]
            # einsum, not a matrix product: its sums do not depend on how many rows, or leads, come together
            mean[rows] = (np.einsum("nc,ch->nh", x - level, self.coefficients) + level)[:, :leads]
        short = np.flatnonzero(history.lengths < c)
        failed = {int(i): f"{history.lengths[i]} values are less than the context of {c}" for i in short}
        if not quantile_levels:
            return Forecast(mean, failed)
        if self._errors is None:
            self._errors = self._training_errors()
        around = np.quantile(self._errors[:, :leads], quantile_levels, axis=0).T
        return Forecast(mean, failed, mean[..., None] + around, quantile_levels)

    def sensitivity(self, history: Panel, *, horizon: int) -> Floats:
        """Gradient (N, C) of the mean forecast over the leads at the last `look_back` values: the same for all rows."""
        leads = min(horizon, self.coefficients.shape[1])
        slope = self.coefficients[:, :leads].mean(1)
        if self.normalise == "mean":
            slope = slope + (1 - slope.sum()) / len(slope)
        else:
            slope[-1] += 1 - slope.sum()
        return np.broadcast_to(slope, (len(history), len(slope)))

    def _training_errors(self) -> Floats:
        """Truth less forecast (N, H′) of the training pairs: all, or one from each of as many stretches as are kept.

        The forecast of a pair is that of all groups but its own, or of all where there is one. Where in its stretch a
        pair lies is random, from a fixed seed: equal steps could always meet the same season.
        """
        if self._train is None:
            raise ForecastError("quantiles are those of errors on training series: fit on them, moments do not tell")
        train, c, leads = self._train, self.context, self.coefficients.shape[1]
        counts = count_pairs(train.lengths, self._before + c, leads)
        ends = np.cumsum(counts)
        pairs = int(ends[-1])
        every = -(-pairs // min(PAIRS, ERRORS // leads))
        chosen = np.arange(0, pairs, every)
        chosen += np.random.default_rng(0).integers(0, np.minimum(every, pairs - chosen))
        row = np.searchsorted(ends, chosen, side="right")
        begins: Ints = train.offsets[row] + self._before + chosen - (ends - counts)[row]
        errors = np.empty((len(chosen), leads))
        for of_group, coefficients in self._left_out(chosen):
            for start in range(0, len(of_group), _BLOCK):
                these = of_group[start : start + _BLOCK]
                x, y = less_level(train.values[begins[these, None] + np.arange(c + leads)], c, self.normalise)
                errors[these] = y - x @ coefficients
        return errors

    def _left_out(self, chosen: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Which of the `chosen` training pairs belong to each group, and what the other groups teach."""
        if self._train is None or len(self._groups) < 2:
            yield np.arange(len(chosen)), self.coefficients
            return
        lengths, series = self._train.lengths, self._train.series
        leads = self.coefficients.shape[1]
        grouping = Grouping.of(lengths, series, context=self._before + self.context, leads=leads)
        group = grouping.group[np.searchsorted(np.cumsum(grouping.windows), chosen, side="right")]
        for left_out, number in enumerate(np.unique(grouping.group).tolist()):
            rest = total(without(self._groups, left_out))
            yield np.flatnonzero(group == number), rest.coefficients(self.chosen_ridge)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def spread(panel: Panel) -> Floats:
    """Root mean square of the seasonal differences of every row (N,): what training divides it by.

    It is at least a twentieth of the row's standard deviation, which also stands in where the row is no longer than a
    season, and a millionth of its mean absolute value: neither an exactly periodic row nor what rounding leaves of a
    constant may count like many others. 1 for a row of zeros, or without values.
    """
    values, begins, stops = panel.values, panel.offsets[:-1], panel.offsets[1:]
    size = _row_means(np.abs(values), begins, stops)
    centred = values - np.repeat(_row_means(values, begins, stops), panel.lengths)
    deviation = np.sqrt(_row_means(centred**2, begins, stops))
    differences = (values[panel.season :] - values[: -panel.season]) ** 2
    seasonal = np.sqrt(_row_means(differences, begins, stops - panel.season))
    found = np.where(panel.lengths > panel.season, np.maximum(seasonal, _LEAST_NOISE * deviation), deviation)
    found = np.maximum(found, _LEAST_SPREAD * size)
    return np.where(found > 0, found, 1.0)


def _row_means(values: Floats, begins: Ints, stops: Ints) -> Floats:
    """Means of stretches of a flat array (N,), 0 where one is empty."""
    return np.asarray(summed(values, begins, stops) / np.maximum(stops - begins, 1))


SPECS = (
    ForecasterSpec(
        "linear",
        "Direct multi-step least squares on the context, in closed form.",
        Linear,
        params={"ridge": None, "look_back": None, "normalise": "mean"},
        memory="linear",
    ),
)
