"""The contracts: what is offered to the host, as a forecaster or a diagnostic, and the frozen specs that offer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from tsgap.errors import ContractError, PluginError
from tsgap.panel import Floats, Panel

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.diagnostics import Diagnosed

#: Version of these contracts; a plugin written for another one is refused.
API = 1

Transfer = Literal["learned", "none"]
Scope = Literal["local", "global"]
Memory = Literal["", "lag", "linear", "nonlinear"]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecasts of N histories over leads 1..H′, in the order of the history's rows.

    `mean` (N, H′), in units of the history; H′ < H where the training data could not teach the later leads.
    `failed` maps a row number to the reason why that row has no forecast: its numbers are not read.
    `quantiles` (N, H′, Q), one for each of `quantile_levels` in (0, 1), rising.
    """

    mean: Floats
    failed: Mapping[int, str] = field(default_factory=dict)
    quantiles: Floats | None = None
    quantile_levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        mean = np.asarray(self.mean)
        if mean.ndim != 2 or mean.dtype.kind not in "fiu":
            raise ContractError(f"a forecast's mean must be numbers (N, H), got {mean.dtype} {mean.shape}")
        object.__setattr__(self, "mean", mean.astype(np.float64))
        for row in self.failed:
            if not 0 <= row < len(mean):
                raise ContractError(f"failed row {row} is outside of the {len(mean)} rows")
        if self.quantiles is not None:
            quantiles = np.asarray(self.quantiles, dtype=np.float64)
            if quantiles.shape != (*mean.shape, len(self.quantile_levels)):
                raise ContractError(
                    f"quantiles must be {(*mean.shape, len(self.quantile_levels))}, one for each of the "
                    f"quantile_levels {self.quantile_levels}, got {quantiles.shape}"
                )
            levels = np.asarray(self.quantile_levels, dtype=np.float64)
            if (levels <= 0).any() or (levels >= 1).any() or (np.diff(levels) <= 0).any():
                raise ContractError(f"quantile levels must rise and lie in (0, 1), got {self.quantile_levels}")
            object.__setattr__(self, "quantiles", quantiles)


@runtime_checkable
class Forecaster(Protocol):
    """Learns from one panel and forecasts series that it has never seen from their histories."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Learn from `train` alone.

        `context` is how many last values of a history a forecast may use (None: all there are). `horizon` is the
        longest lead that will be asked for. All chance comes from `seed`. Raise `ForecastError` to say why not.
        """

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast every row of `history` without learning anything from it.

        A row may belong to a series of the training panel (`history.series[i] in train.keys`) or to none. A row
        that cannot be forecast goes into `Forecast.failed` with the reason; it does not fail the others.
        """


@runtime_checkable
class Additive(Forecaster, Protocol):
    """A forecaster that learns from moments of the training panel, which add over its rows.

    Moments are any value with `+` with its like and `*` by a number, sums of products for least squares, say. Where a
    forecaster offers them, the host gathers them in blocks, group by group (`tsgap.additive`), and calls `solve` in
    place of `fit`; both must give the same forecasts. Where quantiles are asked for it is fitted. Where it has a method
    `prepared(train) -> Panel`, whole rows of the training panel pass through that before they may be cut into stretches
    of time: a place to divide each by a scale of its own.
    """

    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        """Moments of some rows of the training panel, of all alike with the same `horizon` and `context`.

        There may be rows that are too short for these; they add nothing.
        """

    def solve(self, moments: Sequence[Any], *, seed: int) -> None:
        """Learn from the moments of groups of series, at least one: all of the training panel is their sum.

        Groups are there for choices such as a ridge, which forecast each from the others. All moments multiplied by
        one number teach the same.
        """


@runtime_checkable
class Differentiable(Forecaster, Protocol):
    """A forecaster that tells its gradient: then the host can also try what a small change of histories does at worst.

    Histories are forecast after the changes; the forecaster is asked for its gradient where it has been fitted.
    """

    def sensitivity(self, history: Panel, *, horizon: int) -> Floats:
        """Gradient (N, C) of each row's mean forecast over its leads, at the row's last C values, oldest first.

        C is how many last values a forecast uses at most; what a shorter row has not is not looked at. Finite; only the
        signs count, those of the slope of the mean over all leads up to `horizon` that were taught.
        """


@runtime_checkable
class Generator(Protocol):
    """Makes synthetic series like those of the panel it was fitted on."""

    def fit(self, train: Panel, *, seed: int) -> None:
        """Learn from the real training part."""

    def sample(self, *, seed: int) -> Panel:
        """One synthetic panel; under the keys of the training panel where the spec says `paired`."""


def _check_spec(spec: Any, kind: str) -> None:
    name = spec.name
    if not isinstance(name, str) or not name or name.strip() != name or set(name) & set(":=,/\\ \t\n"):
        raise PluginError(f"a {kind}'s name must be words joined by '-', got {name!r}")
    calls = (getattr(spec, name, None) for name in ("build", "loss", "load", "measure"))
    if not callable(next(filter(None, calls), None)):
        raise PluginError(f"{kind} {name!r}: what builds it cannot be called")


@dataclass(frozen=True)
class ForecasterSpec:
    """How a forecaster is offered.

    `build(**params)` gives a fresh forecaster and is importable (module level), so that any worker can call it;
    `params` are the parameters it takes, with their defaults. `transfer` says what training carries over:
    ``"learned"``, or ``"none"`` for one without parameters, whose gap is exactly 0. `scope` ``"local"`` means
    that a forecast depends on no other series' history, and on the training series of the same key alone where
    there is one: such cells are split by series. `deterministic`: equal training data give equal forecasts
    whatever the seed. `min_history` is the fewest values of a history, a number or a function of
    `(seasons, horizon)`; `max_history`, likewise, limits how many are sent (None: all for a local forecaster, the
    context for a global one). `uses_weights`: every training row counts as much as `weights` of the panel say; arms
    that re-weight pairs or add synthetic ones are then weighted, for other forecasters they are drawn. `requires`
    names the packages it imports in `fit`, each as 'package' or 'package: how to install it'. `refused` is not empty
    for a well-known model that cannot take part: it is listed as refused, and asking for it raises `UsageError` with
    this reason. `memory` is the dependence that it can learn: ``"linear"``; ``"nonlinear"``; ``"lag"`` for a probe that
    sees one lag alone, which is never gated and shows how far memory reaches; "" is undeclared and never counts as
    nonlinear.
    """

    name: str
    summary: str
    build: Callable[..., Forecaster]
    params: Mapping[str, Any] = field(default_factory=dict)
    transfer: Transfer = "learned"
    scope: Scope = "global"
    deterministic: bool = True
    min_history: int | Callable[[tuple[int, ...], int], int] = 1
    max_history: int | Callable[[tuple[int, ...], int], int] | None = None
    uses_weights: bool = False
    requires: tuple[str, ...] = ()
    refused: str = ""
    memory: Memory = ""

    def __post_init__(self) -> None:
        _check_spec(self, "forecaster")
        if self.transfer not in ("learned", "none"):
            raise PluginError(f"forecaster {self.name!r}: transfer is 'learned' or 'none', got {self.transfer!r}")
        if self.scope not in ("local", "global"):
            raise PluginError(f"forecaster {self.name!r}: scope is 'local' or 'global', got {self.scope!r}")
        if self.memory not in ("", "lag", "linear", "nonlinear"):
            raise PluginError(
                f"forecaster {self.name!r}: memory is '', 'lag', 'linear' or 'nonlinear', got {self.memory!r}"
            )

    def least_history(self, seasons: tuple[int, ...], horizon: int) -> int:
        """The fewest values that a history must have."""
        if callable(self.min_history):
            return int(self.min_history(seasons, horizon))
        return self.min_history

    def most_history(self, seasons: tuple[int, ...], horizon: int) -> int | None:
        """How many last values of a history it wants at most; None where it does not say."""
        if callable(self.max_history):
            return int(self.max_history(seasons, horizon))
        return self.max_history


@dataclass(frozen=True)
class GeneratorSpec:
    """How a generator is offered.

    `paired`: a sampled series stands for the real series of the same key. `deterministic`: every seed gives the
    same sample. `keeps` and `destroys` say in words which structure of the real series is left and which is not,
    `shown_by` which forecasters must show what is destroyed, `source` where the method was described.
    """

    name: str
    summary: str
    build: Callable[..., Generator]
    params: Mapping[str, Any] = field(default_factory=dict)
    paired: bool = True
    deterministic: bool = False
    keeps: str = ""
    destroys: str = ""
    source: str = ""
    shown_by: str = ""

    def __post_init__(self) -> None:
        _check_spec(self, "generator")


@dataclass(frozen=True)
class MetricSpec:
    """How a metric is offered: an elementwise loss and an aggregate, smaller is better.

    `loss(truth, forecast, scale)` gets arrays that broadcast against each other and returns one number for each
    pair, NaN where the pair is left out (counted). With `needs` ``"quantiles"`` it is `loss(truth, quantiles, scale,
    levels)`, where `quantiles` have one axis more, the last, for the `levels` (Q,), which rise. `scale` is the
    denominator that `scaled` asks for: the real training part's seasonal-naive mean absolute error (``"mae"``), root
    mean squared error (``"rmse"``), or ones.
    `aggregate` is ``"mean"`` or ``"root-mean"``. One whose loss is never negative (`nonnegative`) and that is
    `gateable` can carry a gap.
    """

    name: str
    summary: str
    loss: Callable[..., Floats]
    aggregate: Literal["mean", "root-mean"] = "mean"
    scaled: Literal["", "mae", "rmse"] = ""
    units: str = ""
    nonnegative: bool = True
    gateable: bool = True
    needs: Literal["mean", "quantiles"] = "mean"

    def __post_init__(self) -> None:
        _check_spec(self, "metric")
        if self.needs not in ("mean", "quantiles"):
            raise PluginError(f"metric {self.name!r}: needs is 'mean' or 'quantiles', got {self.needs!r}")
        if self.aggregate not in ("mean", "root-mean"):
            raise PluginError(f"metric {self.name!r}: aggregate is 'mean' or 'root-mean', got {self.aggregate!r}")
        if self.scaled not in ("", "mae", "rmse"):
            raise PluginError(f"metric {self.name!r}: scaled is '', 'mae' or 'rmse', got {self.scaled!r}")


@dataclass(frozen=True)
class DiagnosticSpec:
    """How a diagnostic is offered: something that tells synthetic from real series without a forecaster.

    `measure(contrast, *, seed)` gets a `tsgap.diagnostics.Contrast` and returns a `tsgap.diagnostics.Diagnosed`. It is
    called twice, for real against synthetic and for real against held-back real series; what the second call says is
    put beside the first one as its reference. All chance comes from `seed`. Permutations, splits and intervals go by
    units, never by windows. `requires` names the packages it imports when it is called, as a forecaster's.
    """

    name: str
    summary: str
    measure: Callable[..., Diagnosed]
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_spec(self, "diagnostic")


@dataclass(frozen=True)
class DatasetSpec:
    """How a data set is offered: `load()` returns a long frame `unique_id, ds, y`; `card` is the text of its card."""

    name: str
    summary: str
    load: Callable[[], pd.DataFrame]
    card: Callable[[], str]

    def __post_init__(self) -> None:
        _check_spec(self, "data set")
