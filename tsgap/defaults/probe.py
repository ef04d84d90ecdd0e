"""The lag probe: it sees the last value alone, so that where its gap opens is how far memory reaches."""

from __future__ import annotations

import numpy as np

from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecast, ForecasterSpec


class LagProbe:
    """Least squares of the value h steps ahead on the last value alone, with an intercept, for every lead h.

    Every pair of values h steps apart in a training series counts, whatever the context, so that lead and lag are
    the same. A forecaster with a context meets a memory that is lost at lag L at lead 1 already, this one at lead L.
    """

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Solve the regression of every lead for which a training series is long enough."""
        leads = min(horizon, int(train.lengths.max(initial=0)) - 1)
        if leads < 1:
            raise ForecastError(
                f"the longest training series has {train.lengths.max(initial=0)} values: none teaches a lead, "
                "2 values are needed"
            )
        values = train.values
        left = np.repeat(train.offsets[1:], train.lengths) - np.arange(len(values)) - 1  # steps to the series' end
        self.slope, self.intercept = np.zeros(leads), np.zeros(leads)
        for lead in range(1, leads + 1):
            at = np.flatnonzero(left >= lead)
            self.slope[lead - 1], self.intercept[lead - 1] = _line(values[at], values[at + lead])

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast from the last value of every row; an empty row fails."""
        leads = min(horizon, len(self.slope))
        mean = np.full((len(history), leads), np.nan)
        ready = history.lengths > 0
        last = history.values[history.offsets[1:][ready] - 1]
        mean[ready] = self.intercept[:leads] + self.slope[:leads] * last[:, None]
        return Forecast(mean, {int(i): "the history is empty" for i in np.flatnonzero(~ready)})


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and intercept of least squares; the slope is 0 where all `x` are equal."""
    middle, level = float(x.mean()), float(y.mean())
    centred = x - middle
    square = float(centred @ centred)
    # what rounding leaves of a constant has no slope
    flat = square <= len(x) * (1e-12 * float(np.abs(x).max())) ** 2
    slope = 0.0 if flat else float(centred @ (y - level)) / square
    return slope, level - slope * middle


SPECS = (
    ForecasterSpec(
        "lag-probe",
        "Regression on the last value alone, lead by lead: shows how far memory reaches.",
        LagProbe,
        # all of the context is sent, not the one value that is read: the history's scale comes from all that is sent
        memory="lag",
    ),
)
