"""The laws that every forecaster keeps; each is a function that says what it found or raises `BrokenLaw`."""

from __future__ import annotations

import random
from collections.abc import Callable

import cloudpickle
import numpy as np

from tsgap.additive import fit_by_moments
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.perturbing import attacked
from tsgap.protocols import Additive, Differentiable
from tsgap.testing.panels import HORIZON, SEASON, joined, panel, windows
from tsgap.testing.subject import (
    TOLERANCE,
    BrokenLaw,
    ForecasterSubject,
    as_before,
    content,
    difference,
    equal,
    unchanged,
)


def check_shape_and_finiteness(subject: ForecasterSubject) -> str:
    """A forecast is (N, H), finite, and no ordinary history fails."""
    model = subject.fitted(subject.train)
    found = [subject.answers(model, history) for history in (subject.unseen, subject.seen)]
    if found[0].shape[1] != HORIZON:
        raise BrokenLaw(
            f"{HORIZON} leads were asked for, {found[0].shape[1]} came back, though the training series have "
            f"{subject.train.lengths.min()} values and more"
        )
    return f"{sum(len(f) for f in found)} histories, {HORIZON} leads"


def check_unseen_series_are_forecast(subject: ForecasterSubject) -> str:
    """Series that are not in the training panel are forecast, also next to series that are."""
    model = subject.fitted(subject.train)
    alone = subject.answers(model, subject.unseen)
    both = subject.answers(model, joined(subject.seen, subject.unseen))
    return equal(both[len(subject.seen) :], alone, "unseen series are forecast otherwise next to seen ones")


def check_series_order_does_not_matter(subject: ForecasterSubject) -> str:
    """Histories in another order give the same forecasts in that order."""
    model = subject.fitted(subject.train)
    histories = joined(subject.seen, subject.unseen)
    order = np.random.default_rng(5).permutation(len(histories))
    straight = subject.answers(model, histories)
    return equal(
        subject.answers(model, histories.take(order)),
        straight[order],
        "histories in another order have other forecasts; the host may hand them over in any order",
    )


def check_a_subset_gives_the_same_forecasts(subject: ForecasterSubject) -> str:
    """Histories in blocks, or one at a time, give the same forecasts as all at once."""
    model = subject.fitted(subject.train)
    histories = joined(subject.seen, subject.unseen)
    whole = subject.answers(model, histories)
    n = len(histories)
    notes = []
    for size in (1, 4):
        blocks = [subject.answers(model, histories.take(range(i, min(i + size, n)))) for i in range(0, n, size)]
        what = f"histories in blocks of {size} have other forecasts than {n} at once; the host splits large panels"
        notes.append(equal(np.concatenate(blocks), whole, what))
    return max(notes, key=len)


def check_other_rows_do_not_matter(subject: ForecasterSubject) -> str:
    """A forecast does not depend on the values of other rows that come in the same call."""
    model = subject.fitted(subject.train)
    histories = joined(subject.seen, subject.unseen)
    values = histories.values * 1.5 + 0.2
    stop = histories.offsets[1]
    values[:stop] = histories.values[:stop]
    return equal(
        subject.answers(model, histories.with_values(values))[:1],
        subject.answers(model, histories)[:1],
        "the forecast of a row changes with the values of the other rows; forecast each row from its own history",
    )


def check_forecasting_again_gives_the_same(subject: ForecasterSubject) -> str:
    """`predict` neither learns nor wears out: the same histories have the same forecasts later."""
    model = subject.fitted(subject.train)
    first = subject.answers(model, subject.unseen)
    subject.predict(model, subject.seen)
    return equal(subject.answers(model, subject.unseen), first, "a second predict gives other forecasts")


def check_same_seed_same_forecast(subject: ForecasterSubject) -> str:
    """Two fits on equal data with the same seed give equal forecasts, whatever global generators do."""
    first = subject.answers(subject.fitted(subject.train), subject.unseen)
    with as_before(subject.untouched):
        random.seed(123)
        np.random.seed(123)  # noqa: NPY002 - to see whether a plugin uses it
        again = subject.answers(subject.fit(subject.train), subject.unseen)
    return equal(again, first, "two fits with the same seed give other forecasts; draw all chance from `seed`")


def check_seed_does_not_matter_where_declared(subject: ForecasterSubject) -> str:
    """One declared deterministic gives the same forecasts with another seed."""
    if not subject.spec.deterministic:
        return "declared random: nothing promised"
    return equal(
        subject.answers(subject.fit(subject.train, seed=1), subject.unseen),
        subject.answers(subject.fitted(subject.train), subject.unseen),
        "another seed gives other forecasts; declare deterministic=False",
    )


def check_inputs_are_not_mutated(subject: ForecasterSubject) -> str:
    """Neither `fit` nor `predict` changes the panel it is given."""
    train, history = subject.train.take(range(4)), subject.sent(subject.unseen)
    before = content(train), content(history)
    model = subject.fit(train)
    unchanged(before[0], train, "fit")
    model.predict(history, horizon=HORIZON, quantile_levels=())
    unchanged(before[1], history, "predict")
    return "bytes equal"


def check_it_pickles(subject: ForecasterSubject) -> str:
    """The spec travels to another process: what is built from the copy forecasts the same."""
    few = subject.train.take(range(4))
    try:
        build, params = cloudpickle.loads(cloudpickle.dumps((subject.spec.build, dict(subject.chosen.params))))
    except Exception as err:
        raise BrokenLaw(
            f"build does not pickle, so no worker can run it ({type(err).__name__}: {err}); "
            "make it a function or class at the top of a module"
        ) from err
    model = build(**params)
    model.fit(few, horizon=HORIZON, context=subject.context, seed=0)
    what = "what is built from a pickled spec forecasts otherwise"
    return equal(subject.answers(model, subject.unseen), subject.answers(subject.fitted(few), subject.unseen), what)


def check_transfer_is_as_declared(subject: ForecasterSubject) -> str:
    """Training on other data changes the forecasts of one declared learned, and of no other."""
    found = 0.0
    for train in (subject.other_train, subject.noise_train):
        for history in (subject.unseen, subject.seen):
            one = subject.answers(subject.fitted(subject.train), history)
            other = subject.answers(subject.fitted(train), history)
            found = max(found, difference(other, one))
        if found > TOLERANCE:
            break
    if subject.spec.transfer == "none" and found > 0:
        raise BrokenLaw(
            f"declares transfer='none', but training on other data changes its forecasts by {found:.2g} of their "
            "size; declare transfer='learned'"
        )
    if subject.spec.transfer == "learned" and found <= TOLERANCE:
        raise BrokenLaw(
            "declares transfer='learned', but forecasts the same whatever it was trained on: either it fits itself "
            "to the history it is asked to forecast, and its gap would say nothing about the training data (take "
            "the parameters from `train` in fit, and only the state from the history in predict), or it has "
            "nothing to learn (declare transfer='none')"
        )
    return "training does not matter" if found == 0 else f"training changes forecasts by up to {found:.2g}"


def check_scope_is_as_declared(subject: ForecasterSubject) -> str:
    """A local forecaster fitted on one series alone forecasts it as when fitted on all of them."""
    if subject.spec.scope == "global":
        return "declared global: nothing promised"
    together = subject.answers(subject.fitted(subject.train), subject.seen)
    what = (
        "declares scope='local', but the forecast of a series changes with the other training series; "
        "declare scope='global'"
    )
    alone = [
        subject.answers(subject.fit(subject.train.take([i])), subject.seen.take([i])) for i in range(len(subject.seen))
    ]
    return equal(np.concatenate(alone), together, what)


def check_leads_do_not_depend_on_the_horizon_asked(subject: ForecasterSubject) -> str:
    """A forecast at a shorter horizon is the beginning of the one at the longest."""
    model = subject.fitted(subject.train)
    whole = subject.answers(model, subject.unseen)
    notes = []
    for horizon in (1, 3, HORIZON - 1):
        short = subject.answers(model, subject.unseen, horizon=horizon)
        what = f"predict(horizon={horizon}) is not the beginning of predict(horizon={HORIZON}) after the same fit"
        notes.append(equal(short, whole[:, :horizon], what))
    return max(notes, key=len)


def check_short_training_series_limit_the_leads(subject: ForecasterSubject) -> str:
    """Trained on short windows it forecasts fewer leads, marks rows as failed, or says why not; never NaN."""
    notes = []
    for length, context in ((HORIZON + 2, 4), (3, 2)):
        train = windows(subject.train, length)
        try:
            found = subject.predict(subject.fit(train, context=context), subject.unseen)
        except ForecastError as err:
            if not str(err).strip():
                raise BrokenLaw(f"ForecastError without a reason on training series of {length} values") from err
            notes.append(f"{length} values: a reason")
        except BrokenLaw as err:
            raise BrokenLaw(f"on training series of {length} values and a context of {context}: {err}") from err
        except Exception as err:
            raise BrokenLaw(
                f"training series of {length} values (context {context}) raise {type(err).__name__}: {err}; "
                "forecast fewer leads, or raise tsgap.ForecastError with the reason"
            ) from err
        else:
            notes.append(f"{length} values: {found.mean.shape[1]} leads, {len(found.failed)} rows failed")
    return "; ".join(notes)


def check_a_failed_row_does_not_fail_the_others(subject: ForecasterSubject) -> str:
    """Constant, zero and very short histories are forecast or marked as failed; the others stay as they are."""
    model = subject.fitted(subject.train)
    n = max(60, subject.least)
    hard = Panel.of(
        {"constant": np.ones(n), "zero": np.zeros(n), "short": np.ones(1), "spike": np.eye(1, n, n - 2)[0]},
        freq=subject.train.freq,
        seasons=(SEASON,),
    )
    try:
        found = subject.predict(model, joined(subject.unseen, hard))
    except BrokenLaw:
        raise
    except Exception as err:
        raise BrokenLaw(
            f"one hard history (constant, zero, a single spike, or a single value) fails them all with "
            f"{type(err).__name__}: {err}; put the row into Forecast.failed, with the reason"
        ) from err
    rows = len(subject.unseen)
    for row in found.failed:
        if row < rows:
            raise BrokenLaw(f"an ordinary history failed next to hard ones: {found.failed[row]}")
    equal(found.mean[:rows], subject.answers(model, subject.unseen), "ordinary rows change next to hard ones")
    names = [hard.keys[row - rows] for row in sorted(found.failed)]
    return f"failed with a reason: {', '.join(names)}" if names else "all were forecast"


def check_min_history_is_enough(subject: ForecasterSubject) -> str:
    """Histories of exactly `min_history` values (of the context, if that is more) are forecast."""
    n = max(subject.least, subject.context or 1)
    short = panel("one", 3, (n, n), seed=6, prefix="short")
    model = subject.fitted(subject.train)
    found = subject.predict(model, short)
    for why in found.failed.values():
        raise BrokenLaw(f"min_history declares that {subject.least} values are enough, but {n} are not: {why}")
    return f"{n} values"


def check_quantiles_rise(subject: ForecasterSubject) -> str:
    """Quantiles, if there are any, are finite and rise with their level on average; asking for them changes no mean."""
    model = subject.fitted(subject.train)
    levels = (0.1, 0.5, 0.9)
    found = subject.predict(model, subject.unseen, levels=levels)
    equal(found.mean, subject.answers(model, subject.unseen), "asking for quantiles changes the mean forecast")
    if found.quantiles is None:
        return "no quantiles"
    if tuple(found.quantile_levels) != levels:
        raise BrokenLaw(f"levels {levels} were asked for, {tuple(found.quantile_levels)} came back")
    rise = np.diff(found.quantiles, axis=2)
    if not np.isfinite(found.quantiles).all() or (rise.mean((0, 1)) < 0).any():
        raise BrokenLaw("quantiles must be finite and rise with their level")
    crossed = (rise < 0).any(2)  # the host sorts these, and counts them
    return f"{len(levels)} levels" + (f", crossed in {crossed.sum()} of {crossed.size} pairs" if crossed.any() else "")


def check_quantiles_of_a_row_are_its_own(subject: ForecasterSubject) -> str:
    """Quantiles, if there are any, depend on neither the order nor the number of rows, leads and levels asked for."""
    model = subject.fitted(subject.train)
    histories = joined(subject.seen, subject.unseen)
    whole = subject.predict(model, histories, levels=(0.1, 0.5, 0.9)).quantiles
    if whole is None:
        return "no quantiles"
    order = np.random.default_rng(5).permutation(len(histories))[: len(histories) - 2]
    notes = []
    for what, rows, levels, horizon in (
        ("histories in another order, two of them left out,", order, [0, 1, 2], HORIZON),
        ("a horizon of 3", range(len(histories)), [0, 1, 2], 3),
        ("one level", range(len(histories)), [1], HORIZON),
    ):
        asked = tuple((0.1, 0.5, 0.9)[k] for k in levels)
        found = subject.predict(model, histories.take(rows), horizon=horizon, levels=asked).quantiles
        if found is None:
            raise BrokenLaw(f"{what} have no quantiles, though all together have them")
        wanted = whole[np.asarray(rows)][:, :horizon][..., levels]
        notes.append(equal(found, wanted, f"{what} have other quantiles"))
    return max(notes, key=len)


def check_two_of_them_do_not_disturb_each_other(subject: ForecasterSubject) -> str:
    """Fitting a second one leaves the first as it was: they share no state."""
    few, others = subject.train.take(range(4)), subject.other_train.take(range(4))
    first = subject.fit(few)
    before = subject.answers(first, subject.unseen)
    subject.fit(others)
    return equal(
        subject.answers(first, subject.unseen),
        before,
        "fitting another one changes the forecasts of the first; keep all state in the object",
    )


def check_global_state_is_left_alone(subject: ForecasterSubject) -> str:
    """Fit and predict leave random generators, warning filters, directory and environment as they were."""
    few = subject.train.take(range(4))
    subject.predict(subject.fit(few), subject.unseen)
    with as_before(subject.untouched) as changes:
        subject.predict(subject.fit(few), subject.unseen)
        found = changes()
    if found:
        raise BrokenLaw(f"fit or predict changes {' and '.join(found)}; put it back, or do without")
    return "as it was"


def check_moments_add_and_teach_what_fit_does(subject: ForecasterSubject) -> str:
    """One that has moments learns the same from them as by `fit`; they add over series, and only their shares count."""
    model = subject.chosen.build()
    context = subject.context
    if not isinstance(model, Additive) or context is None:
        return "no moments: nothing promised"
    many = panel("one", 12, (subject.train.lengths.min(), subject.train.lengths.max()), seed=7)
    notes = []
    for train in (subject.train, many):
        fit_by_moments(model, train, horizon=HORIZON, context=context, seed=0)
        learned, fitted = subject.answers(model, subject.unseen), subject.answers(subject.fitted(train), subject.unseen)
        what = (
            "solving the moments of groups of series and `fit` give other forecasts; call tsgap.additive.fit_by_moments"
        )
        notes.append(equal(learned, fitted, what))

    def learned_from(moments: object) -> Floats:
        model.solve([moments], seed=0)
        return subject.answers(model, subject.unseen)

    whole, first, second = (
        model.moments(many.take(rows), horizon=HORIZON, context=context) for rows in (range(12), range(5), range(5, 12))
    )
    before = learned_from(whole)
    what = "moments teach something else the second time; `solve` must leave them as they are"
    notes.append(equal(learned_from(whole), before, what))
    what = "the moments of some series and of the others, added, teach something else than those of all"
    notes.append(equal(learned_from(first + second), before, what))
    what = "moments multiplied by 2 teach something else; only the share of each series may count"
    notes.append(equal(learned_from(whole * 2.0), before, what))
    return max(notes, key=len)


def check_steps_along_its_gradient_raise_the_forecast(subject: ForecasterSubject) -> str:
    """One that tells its gradient is moved by it: a small step along its signs raises the mean forecast of a row."""
    model, sent = subject.fitted(subject.train), subject.sent(subject.unseen)
    if not isinstance(model, Differentiable):
        return "no gradient: nothing promised"
    before = subject.predict(model, sent).mean.mean(1)
    step = np.array([1e-4 * np.abs(y).mean() for y in sent])
    for sign, way in ((1, "raise"), (-1, "lower")):
        moved = attacked(sent, np.arange(len(sent)), model, sent, sign * step, HORIZON)
        change = sign * (subject.predict(model, moved).mean.mean(1) - before)
        if not (change > 0).all():
            row = int(np.argmin(change))
            raise BrokenLaw(
                f"steps of {step[row]:.3g} do not {way} the mean forecast of row {row}, it moves by "
                f"{sign * change[row]:.3g}; sensitivity must have the signs of the slope of the mean over all leads"
            )
    return "moved as it says"


FORECASTER_LAWS: tuple[Callable[[ForecasterSubject], str], ...] = (
    check_shape_and_finiteness,
    check_unseen_series_are_forecast,
    check_series_order_does_not_matter,
    check_a_subset_gives_the_same_forecasts,
    check_other_rows_do_not_matter,
    check_forecasting_again_gives_the_same,
    check_same_seed_same_forecast,
    check_seed_does_not_matter_where_declared,
    check_inputs_are_not_mutated,
    check_it_pickles,
    check_transfer_is_as_declared,
    check_scope_is_as_declared,
    check_leads_do_not_depend_on_the_horizon_asked,
    check_short_training_series_limit_the_leads,
    check_a_failed_row_does_not_fail_the_others,
    check_min_history_is_enough,
    check_quantiles_rise,
    check_quantiles_of_a_row_are_its_own,
    check_two_of_them_do_not_disturb_each_other,
    check_moments_add_and_teach_what_fit_does,
    check_steps_along_its_gradient_raise_the_forecast,
    check_global_state_is_left_alone,
)
