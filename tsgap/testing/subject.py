"""What is under test: fits and forecasts as a sweep would do them, what must hold of each, and comparisons."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.panel import Floats, Panel
from tsgap.plugins import Chosen
from tsgap.protocols import Forecast
from tsgap.testing.panels import CONTEXT, HORIZON, SEASON, panel

#: Relative difference below which two forecasts count as equal: sums in another order, nothing more.
TOLERANCE = 1e-9


class BrokenLaw(AssertionError):
    """A law of the contract does not hold; the message says which numbers show it."""


class _Subject:
    """A chosen forecaster or generator, and the state of the process before any of its code ran."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen
        self.spec = chosen.spec
        self.untouched = GlobalState()

    @cached_property
    def train(self) -> Panel:
        """The training panel."""
        return panel("one", 8, self._lengths, seed=1)

    @cached_property
    def other_train(self) -> Panel:
        """Other values under the same keys."""
        return panel("other", 8, self._lengths, seed=2)

    @cached_property
    def noise_train(self) -> Panel:
        """White noise under the same keys."""
        return panel("noise", 8, self._lengths, seed=2)

    @property
    def _lengths(self) -> tuple[int, int]:
        return 96, 120


class ForecasterSubject(_Subject):
    """A forecaster under test."""

    def __init__(self, chosen: Chosen) -> None:
        super().__init__(chosen)
        self._fitted: dict[object, Any] = {}

    @property
    def least(self) -> int:
        """The fewest values that the spec asks of a history."""
        return int(self.spec.least_history((SEASON,), HORIZON))

    @property
    def context(self) -> int | None:
        """None for a local forecaster, which gets whole histories."""
        return None if self.spec.scope == "local" else max(CONTEXT, self.least)

    @property
    def _lengths(self) -> tuple[int, int]:
        return max(96, 2 * self.least + HORIZON), max(120, 2 * self.least + 24)

    @cached_property
    def unseen(self) -> Panel:
        """Histories of series that no training panel holds."""
        return panel("one", 5, (max(60, self.least), max(72, self.least + 12)), seed=3, prefix="unseen")

    @cached_property
    def seen(self) -> Panel:
        """Histories of the first four training series: their training part and a little more."""
        more = panel("one", 4, (SEASON, SEASON), seed=4)
        rows = {k: np.concatenate([a, b]) for k, a, b in zip(self.train.keys, self.train, more, strict=False)}
        return Panel.of(rows, freq="MS", seasons=(SEASON,))

    def fit(self, train: Panel, *, seed: int = 0, context: int | None = None, horizon: int = HORIZON) -> Any:
        """A fresh forecaster, fitted."""
        forecaster = self.chosen.build()
        forecaster.fit(train, horizon=horizon, context=context or self.context, seed=seed)
        return forecaster

    def fitted(self, train: Panel, *, seed: int = 0) -> Any:
        """A fitted forecaster, shared by the checks."""
        key = (train.fingerprint, seed)
        if key not in self._fitted:
            self._fitted[key] = self.fit(train, seed=seed)
        return self._fitted[key]

    def predict(
        self, forecaster: Any, history: Panel, *, horizon: int = HORIZON, levels: tuple[float, ...] = ()
    ) -> Forecast:
        """A forecast that has the promised shape and is finite where it did not fail."""
        sent = self.sent(history)
        found = forecaster.predict(sent, horizon=horizon, quantile_levels=levels)
        if not isinstance(found, Forecast):
            raise BrokenLaw(f"predict must return a tsgap.Forecast, got {type(found).__name__}")
        if len(found.mean) != len(sent):
            raise BrokenLaw(f"{len(sent)} histories were given, {len(found.mean)} forecasts came back")
        if not 1 <= found.mean.shape[1] <= horizon:
            raise BrokenLaw(
                f"{horizon} leads were asked for, {found.mean.shape[1]} came back; give 1 to {horizon}, "
                "or raise tsgap.ForecastError with the reason"
            )
        for row, why in found.failed.items():
            if not str(why).strip():
                raise BrokenLaw(f"row {row} failed without a reason")
        good = np.setdiff1d(np.arange(len(sent)), list(found.failed))
        bad = np.argwhere(~np.isfinite(found.mean[good]))
        if len(bad):
            row, lead = int(good[bad[0][0]]), int(bad[0][1])
            raise BrokenLaw(
                f"the forecast of {sent.keys[row]!r} is {found.mean[row, lead]} at lead {lead + 1}; "
                "put a row that cannot be forecast into Forecast.failed, with the reason"
            )
        return found

    def answers(self, forecaster: Any, history: Panel, *, horizon: int = HORIZON) -> Floats:
        """Forecasts (N, H′) of ordinary histories, of which none may fail."""
        found = self.predict(forecaster, history, horizon=horizon)
        for row, why in found.failed.items():
            raise BrokenLaw(f"an ordinary history of {self.sent(history).lengths[row]} values failed: {why}")
        return found.mean

    def sent(self, history: Panel) -> Panel:
        """What a sweep hands over: the last `max_history` values, the context for a global forecaster."""
        limit = self.spec.most_history((SEASON,), HORIZON) or self.context
        return history if limit is None else history.tail(limit)


class GeneratorSubject(_Subject):
    """A generator under test."""

    def fit(self, train: Panel, *, seed: int = 0) -> Any:
        """A fresh generator, fitted."""
        generator = self.chosen.build()
        generator.fit(train, seed=seed)
        return generator

    def sample(self, generator: Any, *, seed: int = 0) -> Panel:
        """A sample that is a panel."""
        found = generator.sample(seed=seed)
        if not isinstance(found, Panel):
            raise BrokenLaw(f"sample must return a tsgap.Panel, got {type(found).__name__}")
        return found


def difference(a: Floats, b: Floats) -> float:
    """Largest difference relative to the size of `b`; infinite where shapes differ."""
    if a.shape != b.shape:
        return np.inf
    if a.size == 0 or np.array_equal(a, b):
        return 0.0
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), 1e-12))


def equal(a: Floats, b: Floats, message: str) -> str:
    """Raise `BrokenLaw` with the message and the difference, or say how equal they are."""
    found = difference(a, b)
    if not found <= TOLERANCE:
        size = f"by {found:.2g} of its size" if np.isfinite(found) else f"in shape, {a.shape} and {b.shape}"
        raise BrokenLaw(f"{message} (they differ {size})")
    return "bit for bit" if found == 0 else f"up to {found:.0e}"


def unchanged(before: bytes, where: Panel, what: str) -> None:
    """Raise `BrokenLaw` if a panel is not what it was."""
    if content(where) != before or where.values.flags.writeable:
        raise BrokenLaw(f"{what} changed the panel it was given; copy what you want to change")


def content(where: Panel) -> bytes:
    """All bytes of a panel, read anew."""
    return b"".join([where.values.tobytes(), where.offsets.tobytes(), repr((where.keys, where.series)).encode()])


class GlobalState:
    """What a plugin must leave alone, as it is now."""

    def __init__(self) -> None:
        self.directory = Path.cwd()
        self.environment = dict(os.environ)
        self.filters = list(warnings.filters)
        self.float_errors = np.geterr()
        self.random = random.getstate()
        self.numpy = np.random.get_state(legacy=False)  # noqa: NPY002 - to see whether a plugin uses it

    def restore(self) -> None:
        """Put the process back into this state."""
        os.chdir(self.directory)
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        os.environ.update(self.environment)
        warnings.filters[:] = self.filters  # type: ignore[index]
        np.seterr(**self.float_errors)
        random.setstate(self.random)
        np.random.set_state(self.numpy)  # noqa: NPY002

    def changes(self) -> list[str]:
        """What is no longer as it was, in words."""
        now = GlobalState()
        names = sorted(
            name
            for name in set(now.environment) | set(self.environment)
            if now.environment.get(name) != self.environment.get(name) and not name.startswith("PYTEST_")
        )
        found = {
            f"the working directory (to {now.directory})": now.directory != self.directory,
            f"the environment ({', '.join(names)})": bool(names),
            "the warning filters": now.filters != self.filters,
            "numpy's floating-point error handling": now.float_errors != self.float_errors,
            "the global generator of random": now.random != self.random,
            "the global generator of numpy.random": pickle.dumps(now.numpy) != pickle.dumps(self.numpy),
        }
        return [words for words, changed in found.items() if changed]


@contextlib.contextmanager
def as_before(state: GlobalState) -> Iterator[Callable[[], list[str]]]:
    """Run in an earlier state of the process, ask what changed, and go back to the present one."""
    present = GlobalState()
    state.restore()
    try:
        yield state.changes
    finally:
        present.restore()
