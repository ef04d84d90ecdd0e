"""Does training on synthetic series rank forecasters as training on real ones does: Kendall's tau, and proven swaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.evidence import Evidence
from tsgap.gap import Cut, Estimate, log_ratio
from tsgap.panel import Floats

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.opened import Opened

#: Fewer forecasters than this have no ranks worth the name.
LEAST = 3
#: Draws of series and replicates for the interval of tau.
DRAWS = 1000
#: How sure the interval is, and the orders of all pairs at once.
LEVEL = 0.95
#: What is said of the order of a pair: proven the same in both arms, proven the opposite, or not told in some arm.
SAME, OPPOSITE, UNTOLD = "same", "opposite", "not told"

COLUMNS = (
    *("data", "source", "metric", "tau", "low", "high", "forecasters", "series", "first", "second"),
    *("real", "real_low", "real_high", "synthetic", "synthetic_low", "synthetic_high", "order", "left_out", "status"),
)


def table(run: Opened, metric: str, data: Any, source: Any, forecaster: Any) -> pd.DataFrame:
    """The table of `Run.rank_consistency`."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"data": data, "source": source, "forecaster": forecaster}
    for (name, where), evidence in run.evidence(metric, "bin", whole=True, **asked):
        rows += _rows({"data": name, "source": where, "metric": metric}, evidence)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(head: dict[str, Any], evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    ranked, left_out = _sorted_out(evidence)
    told = {**head, "forecasters": len(ranked), "left_out": "; ".join(f"{who}: {why}" for who, why in left_out.items())}
    if len(ranked) < LEAST:
        return [{**told, "status": f"{len(ranked)} forecasters that learn, it takes {LEAST}"}]
    counts = ranked[0].clusters.counts
    told |= dict(zip(("tau", "low", "high"), consistency(ranked), strict=True)) | {"series": counts.series}
    if np.isnan(told["tau"]):
        return [{**told, "status": "all forecasters have the same error in some arm"}]
    pairs = list(combinations(ranked, 2))
    return [{**told, **_of_pair(one, other, len(pairs)), "status": "ok"} for one, other in pairs]


def _sorted_out(evidence: Sequence[Evidence]) -> tuple[list[Evidence], dict[str, str]]:
    """The forecasters that are ranked, all on the same pairs, and why the others are not."""
    left_out: dict[str, str] = {}
    there = []
    for one in evidence:
        if one.transfer == "none":
            left_out[one.forecaster] = "it learns nothing, its error is the same in both arms"
        elif one.status != "ok":
            left_out[one.forecaster] = one.status
        elif not one.taught[-1] or not np.isfinite(_errors(one)).all():
            left_out[one.forecaster] = "no figure over all leads"
        else:
            there.append(one)
    most = Counter(one.pairs for one in there).most_common(1)
    ranked = [one for one in there if one.pairs == most[0][0]]
    left_out |= {one.forecaster: "some of its windows failed" for one in there if one not in ranked}
    return ranked, left_out


def _errors(one: Evidence) -> Floats:
    """Summed losses over all leads after synthetic and after real training (2,)."""
    return np.array([one.losses[arm][:, :, -1].mean(0).sum() for arm in ("synthetic", "control")])


def consistency(ranked: Sequence[Evidence]) -> tuple[float, float, float]:
    """Kendall's tau-b between the errors of forecasters after synthetic and after real training, with its interval.

    The errors are those over all leads. 1: the same order, -1: the opposite one; NaN where all errors of an arm are
    equal. The ends hold 95 % of `DRAWS` draws of series (of blocks of origins, where series are fewer than 5) and of
    replicates with replacement, seeded; with few forecasters tau has few values, and so have they. A draw in which
    tau is not defined counts at both ends.
    """
    errors = np.stack([_errors(one) for one in ranked])
    tau = float(_tau(errors[None, :, 0], errors[None, :, 1])[0])
    clusters = ranked[0].clusters
    cut = clusters.by_series if clusters.counts.population else clusters.by_block
    rng = np.random.default_rng(0)
    times = max(len(one.losses[arm]) for one in ranked for arm in ("synthetic", "control"))
    units = rng.multinomial(cut.n, np.full(cut.n, 1 / cut.n), size=DRAWS).astype(np.float64)
    replicates = rng.multinomial(times, np.full(times, 1 / times), size=DRAWS).astype(np.float64)
    drawn = np.stack(
        [[_drawn(one.losses[arm], cut, units, replicates) for one in ranked] for arm in ("synthetic", "control")]
    )
    taus = _tau(drawn[0].T, drawn[1].T)
    low = np.quantile(np.where(np.isnan(taus), -1.0, taus), (1 - LEVEL) / 2, method="lower")
    high = np.quantile(np.where(np.isnan(taus), 1.0, taus), (1 + LEVEL) / 2, method="higher")
    return tau, float(low), float(high)


def _drawn(losses: Floats, cut: Cut, units: Floats, replicates: Floats) -> Floats:
    """The error (B,) over all leads in each draw of units (B, U) and replicates (B, K)."""
    sums = np.stack([cut.sums(one[:, -1:])[:, 0] for one in losses])
    weights = replicates if len(sums) > 1 else np.ones((len(replicates), 1))
    return np.asarray(((weights @ sums) * units).sum(1) / weights.sum(1))


def _tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> Floats:
    """Kendall's tau-b (B,) between rows (B, F); NaN where all of a row are equal."""
    i, j = np.triu_indices(one.shape[1], 1)
    a, b = np.sign(one[:, i] - one[:, j]), np.sign(other[:, i] - other[:, j])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((a * b).sum(1) / np.sqrt((a != 0).sum(1) * (b != 0).sum(1)))


@dataclass(frozen=True)
class _Order:
    """How much larger the error of one forecaster is than that of another in an arm: a log ratio with its ends."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the order is proven, else 0."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


def _of_pair(one: Evidence, other: Evidence, pairs: int) -> dict[str, Any]:
    real, synthetic = (_order(one, other, arm, pairs) for arm in ("control", "synthetic"))
    proven = real.sign * synthetic.sign
    row: dict[str, Any] = {"first": one.forecaster, "second": other.forecaster}
    for name, found in (("real", real), ("synthetic", synthetic)):
        row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return {**row, "order": SAME if proven > 0 else OPPOSITE if proven < 0 else UNTOLD}


def _order(one: Evidence, other: Evidence, arm: str, pairs: int) -> _Order:
    last = slice(len(one.places) - 1, None)
    found: Estimate = log_ratio(one.losses[arm][:, :, last], other.losses[arm][:, :, last], root=one.root).estimated(
        one.clusters
    )
    half = float(found.half(1 - (1 - LEVEL) / 2 / pairs)[0])
    value = float(found.value[0])
    return _Order(value, value - half, value + half)
