"""Can validating on synthetic series be trusted: how much larger the error of the same forecaster is on real ones.

Who has only synthetic series holds some of them out to validate on. What that promises is compared with the test on
real series: a forecaster trained on the head of the synthetic series forecasts both, from one fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.atoms import Atoms, Ended, Truth
from tsgap.errors import ContractError
from tsgap.evidence import rows_by_arm
from tsgap.formats import rows_of
from tsgap.gap import Clusters, Estimate, estimate
from tsgap.holdout import HEAD, ON_SYNTHETIC
from tsgap.horizon import METRIC_FAILED
from tsgap.metrics import losses
from tsgap.panel import Floats, Ints, digest
from tsgap.protocols import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("data", "source", "forecaster", "metric", "horizon", "scaled_by"),
    *("synthetic_on_synthetic", "real_on_synthetic", "synthetic_on_real", "real_on_real"),
    *("drop", "low", "high", "percent", "n_real", "n_synthetic", "status"),
)


@dataclass(frozen=True, eq=False)
class Windows:
    """The losses of a forecaster on the windows of one panel.

    `losses` (K, N), summed over leads; `counts` (K, N) how much there is of each: its weight times the leads that
    count, 0 for a window that a replicate has not. `series` and `blocks` (of the calendar) label the windows (N,).
    """

    losses: Floats
    counts: Floats
    series: NDArray[Any]
    blocks: Ints

    @property
    def mean(self) -> float:
        """The mean loss, NaN where nothing counts."""
        total = float(self.counts.sum())
        return float(self.losses.sum()) / total if total else float("nan")

    @property
    def contributions(self) -> Floats:
        """What each window of each replicate adds to the linearised log mean (K, N); their sum is 0."""
        mean = self.mean
        return np.asarray((self.losses - mean * self.counts) / (mean * self.counts.sum()))


def drop(real: Windows, synthetic: Windows, draws: Ints, *, root: bool = False) -> Estimate:
    """ln of the mean loss on real windows over that on synthetic ones, of forecasts from the same fits.

    Above 0 the synthetic windows promise less error than the real ones show. Series and blocks of the same label in
    both panels are one cluster, and so are the replicates (labels `draws` (K,)). `root` halves it: for root mean
    squared errors.
    """
    times = max(len(real.losses), len(synthetic.losses))
    power = 0.5 if root else 1.0
    value = power * (np.log(real.mean) - np.log(synthetic.mean))
    parts = [
        np.broadcast_to(one.contributions * len(one.losses) / times, (times, one.losses.shape[1])) * sign * power
        for one, sign in ((real, 1.0), (synthetic, -1.0))
    ]
    of = (real, synthetic)
    blocks = np.concatenate([one.blocks for one in of])
    used = np.concatenate([one.counts.any(0) for one in of])
    clusters = Clusters.of(np.concatenate([one.series.astype(str) for one in of]), blocks, draws[:times], used)
    return estimate(np.array([value]), np.concatenate(parts, axis=1)[..., None], clusters)


def table(
    rows: Sequence[Mapping[str, Any]],
    atoms: Atoms,
    metric: MetricSpec,
    held: Mapping[str, Sequence[Mapping[str, Any]]],
    read: Callable[[str], pd.DataFrame],
) -> pd.DataFrame:
    """The table of `Run.validation`; `held` is what the manifest says of it, `read` gives a table of the store."""
    import pandas as pd

    places: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["source"]:
            places.setdefault((row["data"], row["source"], row["forecaster"]), []).append(row)
    out = []
    for (data, source, forecaster), of in places.items():
        told = {one["replicate"]: one for one in held.get(f"{data}/{source}", ()) if one["scope"] == of[0]["scope"]}
        head = {"data": data, "source": source, "forecaster": forecaster, "metric": metric.name}
        out.append({**head, **_row(of, atoms, metric, told, read)})
    return pd.DataFrame(out, columns=list(COLUMNS))


def _row(
    rows: Sequence[Mapping[str, Any]],
    atoms: Atoms,
    metric: MetricSpec,
    told: Mapping[int, Mapping[str, Any]],
    read: Callable[[str], pd.DataFrame],
) -> dict[str, Any]:
    by_arm, control = rows_by_arm(rows, "fidelity")
    if failed := next((row for row in by_arm.get("synthetic", ()) if row["error"]), None):
        return {"status": atoms.ended(failed).status}
    if why := next((one["why"] for one in told.values() if one["why"]), ""):
        return {"status": f"not measurable: {why}"}
    arms = {
        "synthetic_on_real": by_arm.get(HEAD, []),
        "synthetic_on_synthetic": by_arm.get(ON_SYNTHETIC[HEAD], []),
        "real_on_real": by_arm.get(control, []),
        "real_on_synthetic": by_arm.get(ON_SYNTHETIC["real"], []),
    }
    ended = {name: [atoms.ended(row) for row in of] for name, of in arms.items()}
    states = {
        name: next((state for one in of if (state := one.under(metric)) != "ok"), "ok" if of else "missing")
        for name, of in ended.items()
    }
    for name in ("synthetic_on_real", "synthetic_on_synthetic"):
        if states[name] != "ok":
            return {"status": states[name]}
    whole = {name: of for name, of in ended.items() if states[name] == "ok"}
    truths = {True: [atoms.truth(row["data"]) for row in arms["synthetic_on_real"]]}
    truths[False] = [atoms.truth_of(row) for row in arms["synthetic_on_synthetic"]]
    scales: dict[bool, list[Floats]] = {True: [], False: []}
    for row, ours, theirs in zip(arms["synthetic_on_real"], truths[True], truths[False], strict=True):
        both = _scales(metric, ours, theirs, told[row["replicate"]], read)
        scales[True].append(both[0])
        scales[False].append(both[1])
    reached = min(one.forecasts.shape[1] for of in whole.values() for one in of)
    leads = min(reached, *(_last_known(truth) for truth in truths[False]))
    twins = not any(one["levels"] for one in told.values())
    windows: dict[str, Windows] = {}
    try:
        for side, end in ((True, "_on_real"), (False, "_on_synthetic")):
            mine = {name: of for name, of in whole.items() if name.endswith(end)}
            windows |= _windows(metric, mine, truths[side], scales[side], leads, twins=side or twins)
    except ContractError as err:
        return {"status": f"{METRIC_FAILED}: {err}"}
    root = metric.aggregate == "root-mean"
    figures: dict[str, Any] = {name: one.mean ** (0.5 if root else 1.0) for name, one in windows.items()}
    real, synthetic = windows["synthetic_on_real"], windows["synthetic_on_synthetic"]
    # a shock to the calendar of one panel is none to the other
    synthetic = replace(synthetic, blocks=synthetic.blocks - synthetic.blocks.min() + real.blocks.max() + 1)
    scaled_by = next(iter(told.values()))["scaled_by"] if metric.scaled else "nothing"
    figures |= {"horizon": leads, "scaled_by": scaled_by}
    figures |= {"n_real": int(real.counts.any(0).sum()), "n_synthetic": int(synthetic.counts.any(0).sum())}
    if not (real.mean > 0 and synthetic.mean > 0):
        return {**figures, "status": "no error" if figures["n_real"] and figures["n_synthetic"] else "no pairs"}
    draws = np.array([row["draw"] for row in arms["synthetic_on_real"]], dtype=np.int64)
    found = drop(real, synthetic, draws, root=root)
    value, half = float(found.value[0]), float(found.half(0.975)[0])
    figures |= {"drop": value, "low": value - half, "high": value + half, "percent": -100 * np.expm1(-value)}
    lost = any(one.failed for of in whole.values() for one in of)
    status = next((f"control: {state}" for state in states.values() if state != "ok"), "partial" if lost else "ok")
    return {**figures, "status": status}


def _last_known(truth: Truth) -> int:
    """The last lead of which some window has a true value."""
    return int(np.flatnonzero(~np.isnan(truth.values).all(0)).max(initial=-1)) + 1


def _scales(
    metric: MetricSpec, real: Truth, synthetic: Truth, told: Mapping[str, Any], read: Callable[[str], pd.DataFrame]
) -> tuple[Floats, Floats]:
    """What the errors on real and on synthetic windows are divided by, so that they can be compared."""
    if not metric.scaled:
        return np.ones(len(real.ids)), np.ones(len(synthetic.ids))
    if told["levels"]:
        levels = read(told["levels"])["level"].to_numpy(dtype=np.float64)
        return levels[: len(real.ids)], levels[len(real.ids) :]
    # twins: both by the figure of the real series, or series that are easy to forecast would be scaled up again
    of = dict(zip(real.ids, real.scale(metric), strict=True))
    return real.scale(metric), np.array([of.get(one, np.nan) for one in synthetic.ids])


def _windows(
    metric: MetricSpec,
    arms: Mapping[str, Sequence[Ended]],
    truths: Sequence[Truth],
    scales: Sequence[Floats],
    leads: int,
    *,
    twins: bool,
) -> dict[str, Windows]:
    """The windows of each arm on one panel, up to lead `leads`; only pairs that all arms and their replicates have.

    Replicates may be scored on truths of their own. Without `twins` a series has another id in each of them: it is the
    same one where its last window is.
    """
    places: dict[str, list[int]] = {}
    for k, truth in enumerate(truths):
        places.setdefault(truth.name, []).append(k)
    series: list[NDArray[Any]] = []
    blocks: list[Ints] = []
    n = 0
    seen: dict[tuple[str, int, bytes], int] = {}
    found: list[tuple[list[int], Ints, Floats, dict[str, Floats]]] = []
    for of in places.values():
        truth = truths[of[0]]
        values = truth.values[:, :leads]
        each = {
            name: np.stack(
                [losses(metric, values, ended[k].scored(metric)[:, :leads], scales[k], ended[k].levels) for k in of]
            )
            for name, ended in arms.items()
        }
        known = ~np.logical_or.reduce([np.isnan(one).any(0) for one in each.values()])
        weights = truth.weights[:, None] * known
        ids, index = truth.ids, n + np.arange(len(truth.ids))
        new = np.arange(len(ids))
        if not twins:
            ids = _by_content(truth)
            keys = zip(ids.tolist(), truth.window.tolist(), map(_content, truth.values), strict=True)
            index = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)
            first = np.unique(index, return_index=True)[1]
            new = first[index[first] >= n]
        # draws may keep the same calendar of the real series: their blocks are one where they are as far from the end
        later = int(truths[0].block.max() - truth.block.max())
        series.append(ids[new])
        blocks.append(later + truth.block[new])
        n += len(blocks[-1])
        found.append(
            (of, index, weights.sum(1), {k: (np.where(known, v, 0.0) * weights).sum(2) for k, v in each.items()})
        )
    counts = np.zeros((len(truths), n))
    summed = {name: np.zeros_like(counts) for name in arms}
    for of, index, weight, each in found:
        # two series may be equal to the last value: they are one then, and added up
        np.add.at(counts, (np.array(of)[:, None], index), weight)
        for name, one in each.items():
            np.add.at(summed[name], (np.array(of)[:, None], index), one)
    labels, calendar = np.concatenate(series), np.concatenate(blocks)
    return {name: Windows(of, counts, labels, calendar) for name, of in summed.items()}


def _by_content(truth: Truth) -> NDArray[Any]:
    """A name for the series of each window (N,) that the same series has in every truth: by its last window."""
    last = np.append(np.flatnonzero(np.diff(truth.series)), len(truth.series) - 1)
    names = np.array([digest(row) for row in truth.values[last]], dtype=object)
    return np.asarray(names[truth.series])


def _content(row: Floats) -> bytes:
    return hashlib.sha256(row.tobytes()).digest()


def sentences(frame: pd.DataFrame) -> list[str]:
    """What the table of `Run.validation` says, a sentence for each of its rows."""
    return [_sentence(row) for row in rows_of(frame)]


def _sentence(row: Mapping[str, Any]) -> str:
    where = f"{row['data']}, {row['source']}, {row['forecaster']}"
    if not np.isfinite(row["drop"]):
        return f"{where}: {row['status']}"
    low, high = (-100 * np.expm1(-row[name]) for name in ("low", "high"))
    over = f"{row['metric'].upper()}, leads 1-{int(row['horizon'])}"
    if row["low"] > 0:
        told = (
            f"looks {row['percent']:.3g} % better than the real test (95 % interval {low:.3g} to {high:.3g} %; {over})"
        )
    elif row["high"] < 0:
        interval = f"{-high:.3g} to {-low:.3g} %"
        told = f"looks {-row['percent']:.3g} % worse than the real test (95 % interval {interval}; {over})"
    else:
        interval = f"{row['percent']:.3g} %, 95 % interval {low:.3g} to {high:.3g} %; {over}"
        told = f"is not proven to look better or worse than the real test ({interval})"
    return f"{where}: validating on the synthetic data {told}"
