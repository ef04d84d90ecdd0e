"""What a forecaster answered, held to its contract: shape, finiteness, divergence, quantiles that rise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsgap.errors import ContractError
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import Forecast

#: A forecast further out than this many times the history's range and level has diverged.
DIVERGED = 1e3


def checked(answer: Any, n: int, horizon: int) -> Floats:
    """The mean (N, H′) of what `predict` answered; `ContractError` where it is no forecast of `n` rows."""
    if not isinstance(answer, Forecast):
        raise ContractError(f"predict must return a Forecast, got {type(answer).__name__}")
    rows, leads = answer.mean.shape
    if rows != n or not 1 <= leads <= horizon:
        raise ContractError(f"predict was asked for {n} rows and up to {horizon} leads, it gave {answer.mean.shape}")
    return answer.mean


def rising(answer: Forecast, levels: tuple[float, ...], info: dict[str, Any]) -> Floats | None:
    """The quantiles (N, H′, Q) of the levels that were asked for, sorted where they cross; None where there are none.

    A sorted set is never further from the true quantiles than the one that crosses (Chernozhukov, Fernández-Val &
    Galichon 2010, Econometrica 78).
    """
    if not levels or answer.quantiles is None:
        return None
    if tuple(answer.quantile_levels) != levels:
        raise ContractError(f"predict was asked for the quantiles {levels}, it gave {tuple(answer.quantile_levels)}")
    info["crossed"] = int((np.diff(answer.quantiles, axis=2) < 0).any(2).sum())
    return np.sort(answer.quantiles, axis=2)


def unusable(
    mean: Floats, quantiles: Floats | None, histories: Panel, ready: Ints, failed: Mapping[int, str]
) -> dict[int, str]:
    """Rows that are not finite, or have diverged from the range and level of their history."""
    out = {int(ready[i]): "the forecast is not finite" for i in np.flatnonzero(~np.isfinite(mean).all(1))}
    if quantiles is not None:
        mean = np.concatenate([mean, quantiles.reshape(len(mean), mean.shape[1] * quantiles.shape[2])], axis=1)
        bad = {int(ready[i]): "a quantile is not finite" for i in np.flatnonzero(~np.isfinite(mean).all(1))}
        out = {**bad, **out}
    if len(ready):
        begin = histories.offsets[:-1]
        high, low = np.maximum.reduceat(histories.values, begin), np.minimum.reduceat(histories.values, begin)
        size = high - low + np.maximum(np.abs(high), np.abs(low))
        size[size == 0] = 1.0
        with np.errstate(invalid="ignore"):
            far = (np.abs(mean) > DIVERGED * size[:, None]).any(1)
        out |= {int(ready[i]): "the forecast has diverged" for i in np.flatnonzero(far) if int(ready[i]) not in out}
    return {row: reason for row, reason in out.items() if row not in failed}


def laid_out(values: Floats, n: int, ready: Ints, failed: Mapping[int, str]) -> Floats:
    """Values of the `ready` rows as those of `n` rows, NaN in the others and where a row failed."""
    out = np.full((n, *values.shape[1:]), np.nan)
    out[ready] = values
    out[list(failed)] = np.nan
    return out
