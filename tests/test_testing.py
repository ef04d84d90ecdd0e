"""Every law of the contract kit can be broken, and an honest plugin keeps them all."""

from __future__ import annotations

import os
import random
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tsgap import Forecast, ForecastError, ForecasterSpec, GeneratorSpec, MetricSpec, Panel
from tsgap.additive import fit_by_moments
from tsgap.errors import UsageError
from tsgap.testing import (
    check_forecaster,
    check_generator,
    check_metric,
    forecaster_checks,
    generator_checks,
    metric_checks,
    parametrize_with_checks,
    result,
    run_checks,
)
from tsgap.testing.diagnostic_laws import DIAGNOSTIC_LAWS
from tsgap.testing.forecaster_laws import FORECASTER_LAWS
from tsgap.testing.generator_laws import GENERATOR_LAWS
from tsgap.testing.metric_laws import METRIC_LAWS
from tsgap.testing.subject import GlobalState


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Some forecasters here change the process on purpose."""
    before = GlobalState()
    yield
    before.restore()


class Honest:
    """Half-way from the last value to a learned level: keeps every law."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        if context is not None and train.lengths.max() <= context:
            raise ForecastError(f"no training series is longer than the context of {context}")
        self.level = float(np.mean([np.median(np.abs(np.diff(y))) for y in train]))
        self.seed = seed

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return Forecast(np.array([self.one(y, history.series[i], horizon) for i, y in enumerate(history)]))

    def one(self, y: Any, series: str, horizon: int) -> Any:
        return y[-1] + self.level * np.sqrt(np.arange(1, horizon + 1))


class HonestLocal(Honest):
    """The level is that of the twin, or the median of all."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.levels = {k: float(np.median(np.abs(np.diff(y)))) for k, y in zip(train.keys, train, strict=True)}

    def one(self, y: Any, series: str, horizon: int) -> Any:
        level = self.levels.get(series, float(np.median(list(self.levels.values()))))
        return y[-1] + level * np.sqrt(np.arange(1, horizon + 1))


class Pseudorandom(Honest):
    """Draws from its seed, and says so."""

    def one(self, y: Any, series: str, horizon: int) -> Any:
        return super().one(y, series, horizon) + np.random.default_rng(self.seed).normal()


def changed(answer: Callable[[Any, Panel, Any], Any]) -> type[Honest]:
    """An honest forecaster whose mean forecasts pass through `answer(self, history, mean)`."""

    class Changed(Honest):
        def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
            return Forecast(answer(self, history, super().predict(history, horizon=horizon).mean))

    return Changed


class GivesAnArray(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Any:
        return super().predict(history, horizon=horizon).mean


class KnowsOnlyItsOwn(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        super().fit(train, **options)
        self.keys = set(train.keys)

    def one(self, y: Any, series: str, horizon: int) -> Any:
        if series not in self.keys:
            raise KeyError(series)
        return super().one(y, series, horizon)


class WearsOut(Honest):
    calls = 0

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        self.calls += 1
        return Forecast(super().predict(history, horizon=horizon).mean + 0.01 * self.calls)


class UsesGlobalChance(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        super().fit(train, **options)
        self.level += np.random.normal()  # noqa: NPY002


class UsesPythonsChance(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        super().fit(train, **options)
        self.level += random.random()


class ChangesTraining(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        super().fit(train, **options)
        train.values.flags.writeable = True
        train.values[0] += 1


class ChangesHistory(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        found = super().predict(history, horizon=horizon)
        history.values.flags.writeable = True
        history.values[0] += 1
        return found


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self) -> Honest:
        return Honest()


class ForgetsItsBuild:
    """Builds something else after it travelled."""

    def __init__(self, extra: float = 0.0) -> None:
        self.extra = extra

    def __reduce__(self) -> Any:
        return ForgetsItsBuild, (1.0,)

    def __call__(self) -> Honest:
        return changed(lambda self_, history, mean, extra=self.extra: mean + extra)()  # type: ignore[misc]


class RefitsOnTheHistory(Honest):
    def one(self, y: Any, series: str, horizon: int) -> Any:
        return y[-1] + np.median(np.abs(np.diff(y))) * np.sqrt(np.arange(1, horizon + 1))


class DependsOnTheHorizon(Honest):
    def one(self, y: Any, series: str, horizon: int) -> Any:
        return super().one(y, series, horizon) * (1 + 1 / horizon)


class NeedsLongTraining(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        if train.lengths.max() < 20:
            raise ValueError("window shape cannot be larger than input array shape")
        super().fit(train, **options)


class NaNFromShortTraining(Honest):
    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        super().fit(train, horizon=horizon, context=None, seed=seed)
        self.level = self.level if train.lengths.max() > 20 else np.nan


class SaysNoReason(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        if train.lengths.max() < 20:
            raise ForecastError("")
        super().fit(train, **options)


class FailsOnConstants(Honest):
    def one(self, y: Any, series: str, horizon: int) -> Any:
        if np.ptp(y) == 0:
            raise ZeroDivisionError("division by zero")
        return super().one(y, series, horizon)


class FailsAllWithOne(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        found = super().predict(history, horizon=horizon)
        hard = any(np.ptp(y) == 0 for y in history)
        return replace(found, failed=dict.fromkeys(range(len(history)), "one is constant")) if hard else found


class NeedsMore(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        found = super().predict(history, horizon=horizon)
        return replace(found, failed={i: "too short" for i, n in enumerate(history.lengths) if n < 30})


class FailsWithoutReason(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return replace(super().predict(history, horizon=horizon), failed={0: " "})


class Quantiles(Honest):
    def spread(self, levels: Any) -> Any:
        return levels

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        mean = super().predict(history, horizon=horizon).mean
        if not quantile_levels:
            return Forecast(mean)
        levels = self.spread(np.array(quantile_levels))
        return Forecast(mean, quantiles=mean[:, :, None] + levels, quantile_levels=quantile_levels)


class FallingQuantiles(Quantiles):
    def spread(self, levels: Any) -> Any:
        return -levels


class QuantilesOfTheWholeCall(Quantiles):
    """Further apart the more histories come together."""

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        self.size = len(history)
        return super().predict(history, horizon=horizon, quantile_levels=quantile_levels)

    def spread(self, levels: Any) -> Any:
        return levels * self.size


class QuantilesOfOtherLevels(Quantiles):
    """Where a level lies depends on which others are asked for."""

    def spread(self, levels: Any) -> Any:
        return levels - levels[0]


class QuantilesForAllLevelsOnly(Quantiles):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        levels = quantile_levels if len(quantile_levels) > 1 else ()
        return super().predict(history, horizon=horizon, quantile_levels=levels)


class QuantilesMoveTheMean(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return Forecast(super().predict(history, horizon=horizon).mean + len(quantile_levels))


class SharesState(Honest):
    shared: ClassVar[dict[str, float]] = {}

    def fit(self, train: Panel, **options: Any) -> None:
        super().fit(train, **options)
        SharesState.shared["level"] = self.level

    def one(self, y: Any, series: str, horizon: int) -> Any:
        return y[-1] + SharesState.shared["level"] * np.sqrt(np.arange(1, horizon + 1))


class Additive(Honest):
    """The mean absolute difference, from its sum and count in as many parts as there are."""

    def fit(self, train: Panel, **options: Any) -> None:
        fit_by_moments(self, train, **options)

    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        differences = [np.abs(np.diff(y)) for y in train]
        return np.array([sum(float(d.sum()) for d in differences), sum(len(d) for d in differences)], dtype=float)

    def solve(self, moments: Any, *, seed: int) -> None:
        self.level = self.of(sum(moments))

    def of(self, sums: Any) -> float:
        return float(sums[0] / sums[1])


class FitsOtherwise(Additive):
    """The median in fit, the mean in moments."""

    def fit(self, train: Panel, **options: Any) -> None:
        Honest.fit(self, train, **options)


class MeansDoNotAdd(Additive):
    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        sums = super().moments(train, horizon=horizon, context=context)
        return np.array([sums[0] / sums[1] / len(train), 1 / len(train)])


class HasAPrior(Additive):
    """As if ten differences of 1 had been seen."""

    def of(self, sums: Any) -> float:
        return float((sums[0] + 10) / (sums[1] + 10))


class EatsMoments(Additive):
    def solve(self, moments: Any, *, seed: int) -> None:
        super().solve(moments, seed=seed)
        for part in moments:
            part[0] *= 1.01


class CannotWeight(Additive):
    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        return Text(super().moments(train, horizon=horizon, context=context))

    def solve(self, moments: Any, *, seed: int) -> None:
        super().solve([m.sums for m in moments], seed=seed)


class Text:
    def __init__(self, sums: Any) -> None:
        self.sums = sums

    def __add__(self, other: Any) -> Any:
        return Text(self.sums + other.sums)


class TellsItsGradient(Honest):
    """Every forecast moves with the last value alone."""

    def sensitivity(self, history: Panel, *, horizon: int) -> Any:
        return np.ones((len(history), 1))


class TellsAnotherGradient(TellsItsGradient):
    def sensitivity(self, history: Panel, *, horizon: int) -> Any:
        return -super().sensitivity(history, horizon=horizon)


class TellsOneGradientForAll(TellsItsGradient):
    def sensitivity(self, history: Panel, *, horizon: int) -> Any:
        return np.ones(1)


def touches(action: Callable[[], object]) -> type[Honest]:
    """An honest forecaster that changes something of the process while it is fitted."""

    class Touches(Honest):
        def fit(self, train: Panel, **options: Any) -> None:
            super().fit(train, **options)
            action()

    return Touches


def spec(build: Any, **declared: Any) -> ForecasterSpec:
    return ForecasterSpec("under-test", "Under test.", build, **declared)


BROKEN: list[tuple[str, Any, str]] = [
    ("check_shape_and_finiteness", spec(GivesAnArray), "must return a tsgap.Forecast, got ndarray"),
    ("check_shape_and_finiteness", spec(changed(lambda s, h, m: m[:-1])), "5 histories were given, 4 forecasts"),
    ("check_shape_and_finiteness", spec(changed(lambda s, h, m: m[:, :-1])), "8 leads were asked for, 7 came back"),
    ("check_shape_and_finiteness", spec(changed(lambda s, h, m: m[:, :0])), "give 1 to 8, or raise"),
    ("check_shape_and_finiteness", spec(changed(lambda s, h, m: m * np.nan)), "'unseen00' is nan at lead 1"),
    ("check_shape_and_finiteness", spec(FailsWithoutReason), "row 0 failed without a reason"),
    ("check_shape_and_finiteness", spec(NeedsMore), "an ordinary history of 24 values failed: too short"),
    ("check_unseen_series_are_forecast", spec(KnowsOnlyItsOwn), "KeyError: 'unseen00'"),
    ("check_unseen_series_are_forecast", spec(changed(lambda s, h, m: m + len(h))), "otherwise next to seen ones"),
    (
        "check_series_order_does_not_matter",
        spec(changed(lambda s, h, m: m + np.arange(len(m))[:, None])),
        "histories in another order have other forecasts",
    ),
    (
        "check_a_subset_gives_the_same_forecasts",
        spec(changed(lambda s, h, m: m - m.mean())),
        "histories in blocks of 1 have other forecasts than 9 at once",
    ),
    (
        "check_other_rows_do_not_matter",
        spec(changed(lambda s, h, m: m * h.values.max())),
        "changes with the values of the other rows",
    ),
    ("check_forecasting_again_gives_the_same", spec(WearsOut), "a second predict gives other forecasts"),
    ("check_same_seed_same_forecast", spec(UsesGlobalChance, deterministic=False), "draw all chance from `seed`"),
    ("check_same_seed_same_forecast", spec(UsesPythonsChance, deterministic=False), "draw all chance from `seed`"),
    ("check_seed_does_not_matter_where_declared", spec(Pseudorandom), "declare deterministic=False"),
    ("check_inputs_are_not_mutated", spec(ChangesTraining), "fit changed the panel it was given"),
    ("check_inputs_are_not_mutated", spec(ChangesHistory), "predict changed the panel it was given"),
    ("check_it_pickles", spec(Locked()), "build does not pickle, so no worker can run it"),
    ("check_it_pickles", spec(ForgetsItsBuild()), "built from a pickled spec forecasts otherwise"),
    ("check_transfer_is_as_declared", spec(RefitsOnTheHistory), "it fits itself to the history"),
    ("check_transfer_is_as_declared", spec(Honest, transfer="none"), "declare transfer='learned'"),
    ("check_scope_is_as_declared", spec(Honest, scope="local"), "declare scope='global'"),
    (
        "check_leads_do_not_depend_on_the_horizon_asked",
        spec(DependsOnTheHorizon),
        "predict(horizon=1) is not the beginning of predict(horizon=8)",
    ),
    (
        "check_short_training_series_limit_the_leads",
        spec(NeedsLongTraining),
        "training series of 10 values (context 4)",
    ),
    ("check_short_training_series_limit_the_leads", spec(NaNFromShortTraining), "is nan at lead 1"),
    ("check_short_training_series_limit_the_leads", spec(SaysNoReason), "ForecastError without a reason"),
    ("check_a_failed_row_does_not_fail_the_others", spec(FailsOnConstants), "fails them all with ZeroDivisionError"),
    ("check_a_failed_row_does_not_fail_the_others", spec(FailsAllWithOne), "failed next to hard ones"),
    ("check_min_history_is_enough", spec(NeedsMore), "declares that 1 values are enough, but 24 are not: too short"),
    ("check_quantiles_rise", spec(FallingQuantiles), "rise with their level"),
    ("check_quantiles_rise", spec(QuantilesMoveTheMean), "asking for quantiles changes the mean forecast"),
    (
        "check_quantiles_of_a_row_are_its_own",
        spec(QuantilesOfTheWholeCall),
        "two of them left out, have other quantiles",
    ),
    ("check_quantiles_of_a_row_are_its_own", spec(QuantilesOfOtherLevels), "one level have other quantiles"),
    ("check_quantiles_of_a_row_are_its_own", spec(QuantilesForAllLevelsOnly), "one level have no quantiles"),
    ("check_two_of_them_do_not_disturb_each_other", spec(SharesState), "changes the forecasts of the first"),
    ("check_moments_add_and_teach_what_fit_does", spec(FitsOtherwise), "and `fit` give other forecasts; call tsgap"),
    ("check_moments_add_and_teach_what_fit_does", spec(MeansDoNotAdd), "of some series and of the others, added"),
    ("check_moments_add_and_teach_what_fit_does", spec(HasAPrior), "only the share of each series may count"),
    ("check_moments_add_and_teach_what_fit_does", spec(EatsMoments), "must leave them as they are"),
    ("check_moments_add_and_teach_what_fit_does", spec(CannotWeight), "unsupported operand type(s) for *"),
    ("check_steps_along_its_gradient_raise_the_forecast", spec(TellsAnotherGradient), "do not raise the mean forecast"),
    (
        "check_steps_along_its_gradient_raise_the_forecast",
        spec(TellsOneGradientForAll),
        "must give finite numbers (5, C)",
    ),
    (
        "check_global_state_is_left_alone",
        spec(touches(lambda: os.environ.update(TSGAP_TOUCHED="1"))),
        "changes the environment (TSGAP_TOUCHED)",
    ),
    ("check_global_state_is_left_alone", spec(touches(lambda: os.chdir("/"))), "changes the working directory (to /)"),
    (
        "check_global_state_is_left_alone",
        spec(touches(lambda: warnings.simplefilter("ignore"))),
        "changes the warning filters",
    ),
    (
        "check_global_state_is_left_alone",
        spec(touches(lambda: np.seterr(all="ignore"))),
        "changes numpy's floating-point error handling",
    ),
    (
        "check_global_state_is_left_alone",
        spec(touches(lambda: np.random.seed(0))),  # noqa: NPY002
        "the global generator of numpy.random",
    ),
    ("check_global_state_is_left_alone", spec(touches(lambda: random.seed(0))), "the global generator of random"),
]


@pytest.mark.parametrize(("law", "what", "reason"), BROKEN, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN)])
def test_a_law_that_a_forecaster_breaks_is_reported(law: str, what: ForecasterSpec, reason: str) -> None:
    (check,) = [check for check in forecaster_checks(what) if check.name == law]
    found = result(check)
    assert found.status == "failed"
    assert reason in found.reason
    assert "\n" not in found.reason


def test_for_each_law_of_forecasters_there_is_one_that_breaks_it() -> None:
    assert {law for law, _, _ in BROKEN} == {law.__name__ for law in FORECASTER_LAWS}


@pytest.mark.parametrize(
    "what",
    [
        spec(Honest),
        spec(HonestLocal, scope="local"),
        spec(HonestLocal, scope="local", min_history=lambda seasons, horizon: 70 + seasons[0]),
        spec(Pseudorandom, deterministic=False),
        spec(Quantiles),
        spec(NeedsMore, min_history=30),
        spec(Honest, max_history=3),
        spec(Additive),
        spec(TellsItsGradient),
        Honest,
        Honest(),
    ],
)
def test_an_honest_forecaster_keeps_every_law(what: Any) -> None:
    assert [(r.check, r.reason) for r in check_forecaster(what) if r.status != "ok"] == []


def test_the_laws_themselves_leave_the_process_as_it_was() -> None:
    before = GlobalState()
    random.seed(7)
    os.environ["TSGAP_MARK"] = "set after the subject was made"
    checks = forecaster_checks(spec(Honest))
    here = GlobalState()
    assert before.changes() == ["the environment (TSGAP_MARK)", "the global generator of random"]
    assert {result(check).status for check in checks} == {"ok"}
    assert here.changes() == []


def test_a_state_of_the_process_is_seen_to_change_and_put_back(tmp_path: Path) -> None:
    before = GlobalState()
    os.chdir(tmp_path)
    os.environ["TSGAP_MARK"] = "1"
    os.environ.pop("PATH")
    warnings.simplefilter("ignore")
    np.seterr(all="raise")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert len(before.changes()) == 6
    before.restore()
    assert before.changes() == []


# generators -------------------------------------------------------------------------------------------------------


class Noisy:
    """The training series with noise: keeps every law."""

    def fit(self, train: Panel, *, seed: int) -> None:
        self.train, self.seed = train, seed

    def sample(self, *, seed: int) -> Any:
        noise = np.random.default_rng((self.seed, seed)).normal(0, 0.1, len(self.train.values))
        return self.train.with_values(self.train.values + noise)


class Exact(Noisy):
    def sample(self, *, seed: int) -> Any:
        return self.train


class Renamed(Noisy):
    def sample(self, *, seed: int) -> Any:
        return super().sample(seed=seed).renamed([f"synthetic {k}" for k in self.train.keys])


class Shorter(Noisy):
    def sample(self, *, seed: int) -> Any:
        return super().sample(seed=seed).tail(100)


class OtherFrequency(Noisy):
    def sample(self, *, seed: int) -> Any:
        return replace(super().sample(seed=seed), freq="D")


class Empty(Noisy):
    def sample(self, *, seed: int) -> Any:
        return super().sample(seed=seed).take([])


class Frame(Noisy):
    def sample(self, *, seed: int) -> Any:
        return self.train.values


class NotFinite(Noisy):
    def sample(self, *, seed: int) -> Any:
        return self.train.with_values(self.train.values * np.nan)


class GlobalChance(Noisy):
    def sample(self, *, seed: int) -> Any:
        return self.train.with_values(np.random.normal(size=len(self.train.values)))  # noqa: NPY002


class OneStream(Noisy):
    def fit(self, train: Panel, *, seed: int) -> None:
        self.train, self.rng = train, np.random.default_rng(seed)

    def sample(self, *, seed: int) -> Any:
        return self.train.with_values(self.rng.normal(size=len(self.train.values)))


class ScalesItsInput(Noisy):
    def fit(self, train: Panel, *, seed: int) -> None:
        super().fit(train, seed=seed)
        values = train.values if train.values.base is None else train.values.base
        values.flags.writeable = True
        values *= 2


class LastFitted(Noisy):
    last: ClassVar[list[Panel]] = []

    def fit(self, train: Panel, *, seed: int) -> None:
        LastFitted.last[:] = [train]

    def sample(self, *, seed: int) -> Any:
        self.train, self.seed = LastFitted.last[0], 0
        return super().sample(seed=seed)


class SetsTheEnvironment(Noisy):
    def fit(self, train: Panel, *, seed: int) -> None:
        super().fit(train, seed=seed)
        os.environ["TSGAP_TOUCHED"] = "1"


class LockedGenerator(Locked):
    def __call__(self) -> Any:
        return Noisy()


def generator(build: Any, **declared: Any) -> GeneratorSpec:
    return GeneratorSpec("under-test", "Under test.", build, **declared)


BROKEN_GENERATORS: list[tuple[str, Any, str]] = [
    ("check_samples_have_the_promised_series", generator(Renamed), "declares paired=True, but its keys are"),
    ("check_samples_have_the_promised_series", generator(Shorter), "have another length, first 's00'"),
    ("check_samples_have_the_promised_series", generator(OtherFrequency), "the sample 'D' and (12,)"),
    ("check_samples_have_the_promised_series", generator(Empty), "the sample is empty"),
    ("check_samples_have_the_promised_series", generator(Frame), "sample must return a tsgap.Panel, got ndarray"),
    ("check_samples_have_the_promised_series", generator(NotFinite), "values of a panel must be finite"),
    ("check_same_seed_same_sample", generator(GlobalChance), "the same seeds give another sample"),
    ("check_another_seed_gives_another_sample", generator(Exact), "declare deterministic=True"),
    ("check_another_seed_gives_another_sample", generator(Noisy, deterministic=True), "another seed gives another"),
    ("check_sampling_again_gives_the_same", generator(OneStream), "with the same seed again gives another"),
    ("check_inputs_are_not_mutated", generator(ScalesItsInput), "fit changed the panel it was given"),
    ("check_it_pickles", generator(LockedGenerator()), "build does not pickle"),
    ("check_two_of_them_do_not_disturb_each_other", generator(LastFitted), "changes the samples of the first"),
    ("check_global_state_is_left_alone", generator(SetsTheEnvironment), "changes the environment (TSGAP_TOUCHED)"),
]


@pytest.mark.parametrize(
    ("law", "what", "reason"), BROKEN_GENERATORS, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN_GENERATORS)]
)
def test_a_law_that_a_generator_breaks_is_reported(law: str, what: GeneratorSpec, reason: str) -> None:
    (check,) = [check for check in generator_checks(what) if check.name == law]
    found = result(check)
    assert found.status == "failed"
    assert reason in found.reason


def test_for_each_law_of_generators_there_is_one_that_breaks_it() -> None:
    assert {law for law, _, _ in BROKEN_GENERATORS} == {law.__name__ for law in GENERATOR_LAWS}


@pytest.mark.parametrize(
    "what", [generator(Noisy), generator(Exact, deterministic=True), generator(Renamed, paired=False), Noisy, Noisy()]
)
def test_an_honest_generator_keeps_every_law(what: Any) -> None:
    assert [(r.check, r.reason) for r in check_generator(what) if r.status != "ok"] == []


# metrics ----------------------------------------------------------------------------------------------------------


def absolute(truth: Any, forecast: Any, scale: Any) -> Any:
    return np.abs(truth - forecast) / scale


def metric(loss: Any, **declared: Any) -> MetricSpec:
    return MetricSpec("under-test", "Under test.", loss, **declared)


def counts_calls() -> Any:
    calls = []

    def loss(truth: Any, forecast: Any, scale: Any) -> Any:
        calls.append(1)
        return absolute(truth, forecast, scale) + len(calls)

    return loss


def moves_its_input(truth: Any, forecast: Any, scale: Any) -> Any:
    forecast -= truth
    return np.abs(forecast) / scale


def pinball(truth: Any, quantiles: Any, scale: Any, levels: Any) -> Any:
    error = truth[..., None] - quantiles
    return np.maximum(levels * error, (levels - 1) * error).mean(-1) / scale


def of_quantiles(loss: Any, **declared: Any) -> MetricSpec:
    return metric(loss, needs="quantiles", **declared)


def moves_its_quantiles(truth: Any, quantiles: Any, scale: Any, levels: Any) -> Any:
    quantiles += 1.0
    return pinball(truth, quantiles, scale, levels)


def leaves_out_the_worst(truth: Any, forecast: Any, scale: Any) -> Any:
    error = absolute(truth, forecast, scale)
    return np.where(error < 5, error, np.nan)


BROKEN_METRICS: list[tuple[str, MetricSpec, str]] = [
    (
        "check_every_pair_has_a_loss_of_its_own",
        metric(lambda t, f, s: np.mean(absolute(t, f, s))),
        "(6, 8) pairs were given, losses of shape () came back; return one number for each pair",
    ),
    ("check_every_pair_has_a_loss_of_its_own", metric(lambda t, f, s: absolute(t, f, s) * 1j), "array of complex128"),
    ("check_every_pair_has_a_loss_of_its_own", metric(lambda t, f, s: 1 / 0), "ZeroDivisionError: division by zero"),
    (
        "check_other_pairs_do_not_matter",
        metric(lambda t, f, s: absolute(t, f, s) / np.nanmax(np.abs(t))),
        "changes when other pairs are left out",
    ),
    (
        "check_other_pairs_do_not_matter",
        metric(lambda t, f, s: absolute(t, f, s) * (1 + np.isnan(t).any())),
        "changes when the truth of others is missing",
    ),
    (
        "check_losses_are_finite",
        metric(lambda t, f, s: np.abs(t - f) / np.abs(t)),
        "the loss is infinite for truth 0 and forecast",
    ),
    ("check_losses_are_finite", metric(lambda t, f, s: absolute(t, f, s) * np.nan), "NaN for every pair"),
    (
        "check_a_pair_is_left_out_for_its_truth_alone",
        metric(leaves_out_the_worst),
        "a forecaster could choose the pairs it is measured by",
    ),
    (
        "check_losses_are_not_negative_where_declared",
        metric(lambda t, f, s: (f - t) / s),
        "declares nonnegative=True, but truth",
    ),
    (
        "check_losses_are_not_negative_where_declared",
        metric(lambda t, f, s: (f - t) / s, nonnegative=False, gateable=False, aggregate="root-mean"),
        "declares aggregate='root-mean', but truth",
    ),
    (
        "check_no_error_costs_nothing_where_declared",
        metric(lambda t, f, s: absolute(t, f, s) + 0.5),
        "a forecast equal to the truth costs 0.5",
    ),
    ("check_the_same_pairs_have_the_same_losses", metric(counts_calls()), "have other losses the second time"),
    ("check_inputs_are_not_mutated", metric(moves_its_input), "the loss changed the forecast it was given"),
    ("check_inputs_are_not_mutated", of_quantiles(moves_its_quantiles), "the loss changed the quantiles, scale or"),
    (
        "check_every_pair_has_a_loss_of_its_own",
        of_quantiles(lambda t, q, s, levels: np.abs(t[..., None] - q)),
        "losses of shape (6, 8, 3) came back",
    ),
    (
        "check_no_error_costs_nothing_where_declared",
        of_quantiles(lambda t, q, s, levels: pinball(t, q, s, levels) + 0.5),
        "a forecast equal to the truth costs 0.5",
    ),
    (
        "check_losses_are_not_negative_where_declared",
        of_quantiles(lambda t, q, s, levels: (levels * (t[..., None] - q)).mean(-1)),
        "declares nonnegative=True",
    ),
]


@pytest.mark.parametrize(
    ("law", "what", "reason"), BROKEN_METRICS, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN_METRICS)]
)
def test_a_law_that_a_metric_breaks_is_reported(law: str, what: MetricSpec, reason: str) -> None:
    (check,) = [check for check in metric_checks(what) if check.name == law]
    found = result(check)
    assert found.status == "failed"
    assert reason in found.reason


def test_for_each_law_of_metrics_there_is_one_that_breaks_it() -> None:
    assert {law for law, _, _ in BROKEN_METRICS} == {law.__name__ for law in METRIC_LAWS}


@pytest.mark.parametrize(
    "what",
    [
        metric(absolute, scaled="mae"),
        metric(lambda t, f, s: (f - t) / s, nonnegative=False, gateable=False),
        of_quantiles(pinball, scaled="mae"),
        *("mae", "rmse", "mape", "smape", "mase", "rmsse", "wql"),
    ],
)
def test_an_honest_metric_keeps_every_law(what: Any) -> None:
    assert [(r.check, r.reason) for r in check_metric(what) if r.status != "ok"] == []


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("masse", "did you mean 'mase'"),
        (absolute, "a metric is a MetricSpec, or the name or address of one, got <function absolute"),
        (metric(lambda truth, forecast: truth), r"its loss cannot be called with .truth, forecast, scale."),
        (of_quantiles(absolute), r"its loss cannot be called with .truth, quantiles, scale, levels."),
        ("numpy:abs", "a metric is a MetricSpec"),
    ],
)
def test_what_is_no_metric_is_refused(what: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_metric(what)


# in workers -------------------------------------------------------------------------------------------------------


class Dies(Honest):
    def fit(self, train: Panel, **options: Any) -> None:
        os._exit(7)


class DiesByASignal(Honest):
    def predict(self, history: Panel, **options: Any) -> Forecast:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class HangsWithQuantiles(Honest):
    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        if quantile_levels:
            threading.Event().wait()
        return super().predict(history, horizon=horizon)


def test_the_laws_in_workers_are_those_in_this_process_and_come_in_their_order() -> None:
    checks = forecaster_checks(spec(Pseudorandom))
    expected = {"check_it_pickles": "a guess"}
    here, there = (list(run_checks(checks, jobs=jobs, expected=expected)) for jobs in (0, 2))
    assert [(r.check, r.status, r.reason) for r in there] == [(r.check, r.status, r.reason) for r in here]
    assert [r.check for r in there] == [law.__name__ for law in FORECASTER_LAWS]
    assert {r.status for r in there} == {"ok", "failed"}


@pytest.mark.parametrize(
    ("what", "reason"),
    [(Dies, "the process ended with exit code 7 (2 attempts)"), (DiesByASignal, "killed by signal 11 (SIGSEGV)")],
)
def test_a_crash_fails_its_law_and_the_others_go_on(what: type[Honest], reason: str) -> None:
    checks = forecaster_checks(spec(what))[:7]
    found = list(run_checks(checks, jobs=1))
    assert [r.check for r in found] == [check.name for check in checks]
    assert {r.status for r in found} == {"failed"}
    assert all(reason in r.reason for r in found)


def test_a_law_that_hangs_is_stopped_with_a_traceback_and_the_others_go_on() -> None:
    names = ("check_quantiles_rise", "check_min_history_is_enough")
    checks = [check for check in forecaster_checks(spec(HangsWithQuantiles)) if check.name in names]
    found = {r.check: r for r in run_checks(checks, jobs=1, timeout=3.0)}
    hung = found["check_quantiles_rise"]
    assert (hung.status, hung.reason) == ("failed", "no result within 3 s: it hangs, or --timeout must be longer")
    assert "test_testing.py" in hung.traceback
    assert found["check_min_history_is_enough"].status == "ok"


def test_what_cannot_travel_to_a_worker_is_said_and_can_be_checked_here() -> None:
    checks = forecaster_checks(spec(Locked()))
    with pytest.raises(UsageError, match=r"it does not pickle, so no worker can run it .*--jobs 0"):
        list(run_checks(checks, jobs=1))
    assert [r.check for r in run_checks(checks, jobs=0) if r.status == "failed"] == ["check_it_pickles"]


def test_an_exception_of_a_plugin_has_its_traceback_and_a_broken_law_has_none() -> None:
    raised = {r.check: r for r in check_forecaster(spec(NeedsLongTraining))}
    assert [r.traceback for r in check_forecaster(spec(FallingQuantiles)) if r.status == "failed"] == [""]
    assert "in fit" in raised["check_short_training_series_limit_the_leads"].traceback


# the kit itself ---------------------------------------------------------------------------------------------------


def test_an_expected_failure_is_told_apart_and_one_that_holds_is_a_failure() -> None:
    expected = {"check_seed_does_not_matter_where_declared": "drawn on purpose", "check_it_pickles": "a guess"}
    found = {r.check: r for r in check_forecaster(spec(Pseudorandom), expected_failed_checks=expected)}
    seed, pickles = found["check_seed_does_not_matter_where_declared"], found["check_it_pickles"]
    assert (seed.status, seed.reason.startswith("drawn on purpose (another seed")) == ("expected", True)
    assert (pickles.status, pickles.reason) == ("failed", "holds, though it was expected to fail: a guess")
    assert {r.status for r in found.values()} == {"ok", "expected", "failed"}


def test_an_expected_failure_of_a_law_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no check 'check_it_pickle'; did you mean 'check_it_pickles'\?"):
        check_forecaster(spec(Honest), expected_failed_checks={"check_it_pickle": "x"})


def test_a_forecaster_that_ends_the_process_fails_its_checks_only() -> None:
    class Exits(Honest):
        def fit(self, train: Panel, **options: Any) -> None:
            raise SystemExit(3)

    assert {r.status for r in check_forecaster(spec(Exits))} == {"failed", "ok"}


THREE_LINES = """
from tsgap.testing import parametrize_with_checks
from models import Mine, Faulty

@parametrize_with_checks(Mine)
def test_contract(check): check()

@parametrize_with_checks(Faulty, expected_failed_checks={"check_quantiles_rise": "they fall"})
def test_faulty(check): check()

@parametrize_with_checks("shuffle", generator=True)
def test_generator(check): check()

@parametrize_with_checks("mape", metric=True)
def test_metric(check): check()

@parametrize_with_checks("noise", diagnostic=True)
def test_diagnostic(check): check()
"""

MODELS = """
import numpy as np
from tsgap import Forecast

class Mine:
    def fit(self, train, *, horizon, context, seed): self.level = train.values.mean()
    def predict(self, history, *, horizon, quantile_levels=()):
        mean = np.array([[(y[-1] + self.level) / 2] * horizon for y in history])
        return Forecast(mean)

class Faulty(Mine):
    def predict(self, history, *, horizon, quantile_levels=()):
        mean = super().predict(history, horizon=horizon).mean
        if not quantile_levels:
            return Forecast(mean)
        return Forecast(mean, {}, mean[:, :, None] - np.array(quantile_levels), quantile_levels)
"""


def test_strangers_run_the_laws_in_pytest_in_three_lines(tmp_path: Any) -> None:
    import subprocess
    import sys

    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "test_models.py").write_text(THREE_LINES)
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    n = 2 * len(FORECASTER_LAWS) + len(GENERATOR_LAWS) + len(METRIC_LAWS) + len(DIAGNOSTIC_LAWS)
    assert f"{n - 1} passed, 1 xfailed" in found.stdout
    assert "test_contract[check_it_pickles]" in found.stdout


def test_a_thing_is_of_one_kind() -> None:
    with pytest.raises(UsageError, match="'noise' is one of a generator, a metric and a diagnostic"):
        parametrize_with_checks("noise", metric=True, diagnostic=True)


def test_the_kit_is_imported_without_pytest() -> None:
    import subprocess
    import sys

    code = "import tsgap.testing, sys; assert 'pytest' not in sys.modules and 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
