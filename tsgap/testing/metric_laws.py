"""The laws that every metric keeps; each is a function that says what it found or raises `BrokenLaw`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.panel import Floats
from tsgap.protocols import MetricSpec
from tsgap.testing.subject import BrokenLaw

_SIZES = (1.0, 1e-6, 1e9)
_LEVELS = (0.1, 0.5, 0.8)


@dataclass(frozen=True)
class MetricSubject:
    """A metric under test."""

    spec: MetricSpec

    def pairs(self, seed: int = 0, size: float = 1.0) -> tuple[Floats, Floats, Floats]:
        """Truth (N, H), forecast (N, H) and scale (N, 1): zeros, negative values and exact forecasts among them."""
        rng = np.random.default_rng(seed)
        truth = rng.normal(1.0, 1.0, (6, 8))
        forecast = truth + rng.normal(0.0, 0.5, (6, 8))
        truth[0, :3], forecast[1, :3] = 0.0, 0.0
        forecast[2] = truth[2]
        scale = rng.uniform(0.2, 2.0, (6, 1)) if self.spec.scaled else np.ones((6, 1))
        return size * truth, size * forecast, size * scale if self.spec.scaled else scale

    def losses(self, truth: Any, forecast: Any, scale: Any, *, spread: float = 0.4) -> Floats:
        """One number for each pair, or a broken law; quantiles are the forecast and shares of it, `spread` apart."""
        wanted = np.broadcast_shapes(*(np.shape(part) for part in (truth, forecast, scale)))
        given = [truth, forecast, scale]
        if self.spec.needs == "quantiles":
            levels = np.array(_LEVELS)
            given[1:] = np.sort(forecast[..., None] * (1 + spread * (levels - 0.5)), axis=-1), scale, levels
        before = [np.array(part) for part in given[1:]]
        with np.errstate(all="ignore"):
            found = np.asarray(self.spec.loss(*given))
        if self.spec.needs == "quantiles" and any((a != b).any() for a, b in zip(before, given[1:], strict=True)):
            raise BrokenLaw("the loss changed the quantiles, scale or levels; copy what you want to change")
        if found.dtype.kind not in "fiub":
            raise BrokenLaw(f"the loss must be numbers, got an array of {found.dtype}")
        if found.shape != wanted:
            raise BrokenLaw(
                f"{wanted} pairs were given, losses of shape {found.shape} came back; return one number for each "
                "pair, the host takes the mean"
            )
        return found.astype(np.float64)


def check_every_pair_has_a_loss_of_its_own(subject: MetricSubject) -> str:
    """The result has the shape to which truth, forecast and scale broadcast, one number for each pair."""
    truth, forecast, scale = subject.pairs()
    subject.losses(truth, forecast, scale)
    subject.losses(truth[0], forecast, np.float64(1.0))
    subject.losses(truth[:1, :1], forecast[:1, :1], scale[:1])
    return f"{truth.shape} pairs"


def check_other_pairs_do_not_matter(subject: MetricSubject) -> str:
    """The loss of a pair does not change with the other pairs of the call, nor where they are missing."""
    truth, forecast, scale = subject.pairs()
    whole = subject.losses(truth, forecast, scale)
    rows = [subject.losses(truth[i : i + 1], forecast[i : i + 1], scale[i : i + 1]) for i in range(len(truth))]
    _same(np.concatenate(rows), whole, "the loss of a pair changes when other pairs are left out")
    holes = np.random.default_rng(1).random(truth.shape) < 0.4
    with_holes = subject.losses(np.where(holes, np.nan, truth), forecast, scale)
    _same(with_holes[~holes], whole[~holes], "the loss of a pair changes when the truth of others is missing")
    return "each pair by itself"


def check_losses_are_finite(subject: MetricSubject) -> str:
    """The loss of a finite pair is finite or left out as NaN, whatever the size of the numbers, and not always NaN."""
    used = []
    for size in _SIZES:
        truth, forecast, scale = subject.pairs(size=size)
        found = subject.losses(truth, forecast, scale)
        if np.isinf(found).any():
            where = _first(np.isinf(found), truth, forecast)
            raise BrokenLaw(f"the loss is infinite for {where}; leave such a pair out with NaN")
        used.append(np.isfinite(found).sum() / found.size)
    if min(used) == 0:
        raise BrokenLaw(f"the loss is NaN for every pair of numbers near {_SIZES[int(np.argmin(used))]:g}")
    return f"{100 * min(used):.0f} % of the pairs count"


def check_a_pair_is_left_out_for_its_truth_alone(subject: MetricSubject) -> str:
    """Which pairs are NaN depends on the truth and the scale: no forecast takes a pair out of its mean."""
    truth, forecast, scale = subject.pairs()
    left = np.isnan(subject.losses(truth, forecast, scale))
    for other in (truth, np.zeros_like(truth), -forecast, forecast + 1e6):
        differ = np.isnan(subject.losses(truth, other, scale)) != left
        if differ.any():
            raise BrokenLaw(
                f"whether a pair is left out changes with the forecast, first at {_first(differ, truth, other)}; a "
                "forecaster could choose the pairs it is measured by"
            )
    return f"{left.sum()} of {left.size} pairs are left out" if left.any() else "none is left out"


def check_losses_are_not_negative_where_declared(subject: MetricSubject) -> str:
    """One declared nonnegative, or whose root is taken, has no negative loss."""
    if not subject.spec.nonnegative and subject.spec.aggregate != "root-mean":
        return "declared to fall below 0: nothing promised"
    declares = "nonnegative=True" if subject.spec.nonnegative else "aggregate='root-mean'"
    for seed in range(4):
        for size in _SIZES:
            truth, forecast, scale = subject.pairs(seed, size)
            for one, other in ((truth, forecast), (forecast, truth), (-truth, -forecast)):
                found = subject.losses(one, other, scale)
                if (found < 0).any():
                    worst = float(np.nanmin(found))
                    raise BrokenLaw(f"declares {declares}, but {_first(found < 0, one, other)} has {worst:.3g}")
    return "none is negative"


def check_no_error_costs_nothing_where_declared(subject: MetricSubject) -> str:
    """One declared nonnegative is 0, or NaN, where forecast (or every quantile) and truth are equal."""
    if not subject.spec.nonnegative:
        return "declared to fall below 0: nothing promised"
    for size in _SIZES:
        truth, _, scale = subject.pairs(size=size)
        found = subject.losses(truth, truth.copy(), scale, spread=0.0)
        wrong = ~np.isnan(found) & (np.abs(found) > 1e-12)
        if wrong.any():
            raise BrokenLaw(
                f"declares nonnegative=True, but a forecast equal to the truth costs {found[wrong][0]:.3g}, first "
                f"for {_first(wrong, truth, truth)}"
            )
    return "0 without an error"


def check_the_same_pairs_have_the_same_losses(subject: MetricSubject) -> str:
    """Asked again, a loss gives the same numbers."""
    first = subject.losses(*subject.pairs())
    subject.losses(*subject.pairs(seed=1))
    _same(subject.losses(*subject.pairs()), first, "the same pairs have other losses the second time")
    return "bit for bit"


def check_inputs_are_not_mutated(subject: MetricSubject) -> str:
    """The loss changes neither truth nor forecast nor scale."""
    given, before = subject.pairs(), subject.pairs()
    subject.losses(*given)
    for name, now, was in zip(("truth", "forecast", "scale"), given, before, strict=True):
        if now.tobytes() != was.tobytes():
            raise BrokenLaw(f"the loss changed the {name} it was given; copy what you want to change")
    return "bytes equal"


METRIC_LAWS: tuple[Callable[[MetricSubject], str], ...] = (
    check_every_pair_has_a_loss_of_its_own,
    check_other_pairs_do_not_matter,
    check_losses_are_finite,
    check_a_pair_is_left_out_for_its_truth_alone,
    check_losses_are_not_negative_where_declared,
    check_no_error_costs_nothing_where_declared,
    check_the_same_pairs_have_the_same_losses,
    check_inputs_are_not_mutated,
)


def _same(found: Floats, wanted: Floats, message: str) -> None:
    if not np.allclose(found, wanted, rtol=1e-9, atol=0.0, equal_nan=True):
        raise BrokenLaw(message)


def _first(where: NDArray[np.bool_], truth: Floats, forecast: Floats) -> str:
    i = tuple(np.argwhere(where)[0])
    return f"truth {truth[i]:.3g} and forecast {forecast[i]:.3g}"
