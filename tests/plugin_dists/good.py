"""A plugin as it should be: every hook, and a careless print at import."""

import numpy as np

import tsgap

TSGAP_API = 1
print("printed at import")


class Drift:
    """Extends the line from the first to the last value, bent by what training taught."""

    def __init__(self, strength=1.0, lags=3, name="plain", robust=False, order=(1, 1), start=None):
        self.strength, self.lags, self.robust = strength, lags, robust

    def fit(self, train, *, horizon, context, seed):
        self.slope = self.strength * float(np.mean([np.ptp(y) for y in train]))

    def predict(self, history, *, horizon, quantile_levels=()):
        return tsgap.Forecast(np.array([y[-1] + self.slope * np.arange(1, horizon + 1) for y in history]))


class Twice:
    def fit(self, train, *, seed):
        self.train = train

    def sample(self, *, seed):
        noise = np.random.default_rng(seed).normal(size=len(self.train.values))
        return self.train.with_values(2 * self.train.values + noise)


def squared(truth, forecast, scale):
    return (truth - forecast) ** 2


def compare(contrast, *, seed):
    """Difference of mean levels."""
    level = contrast.synthetic.windows.mean() - contrast.real.windows.mean()
    return tsgap.Diagnosed((tsgap.Figure("level", level),))


def always_warns(contrast, *, seed):
    return tsgap.Diagnosed((tsgap.Figure("level", 0.0, flag="warn", advice="look again"),))


def frame():
    import pandas as pd

    return pd.DataFrame({"unique_id": ["a"], "ds": [1], "y": [1.0]})


def card():
    return "---\n---\n"


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec(
        "drift",
        "A line with a learned slope.",
        Drift,
        params={"strength": 1.0, "lags": 3, "name": "plain", "robust": False, "order": (1, 1), "start": None},
    )
    yield tsgap.ForecasterSpec("wants", "Needs a package.", Drift, requires=("nosuch_package: pip install nosuch",))
    yield tsgap.ForecasterSpec("no-way", "Cannot take part.", Drift, refused="it learns nothing")


@tsgap.hookimpl
def tsgap_generators():
    yield tsgap.GeneratorSpec("twice", "Twice the series, with noise.", Twice)


@tsgap.hookimpl
def tsgap_metrics():
    yield tsgap.MetricSpec("my-mse", "Mean squared error.", squared)


@tsgap.hookimpl
def tsgap_diagnostics():
    yield tsgap.DiagnosticSpec("level", "Compares levels.", compare)
    yield tsgap.DiagnosticSpec("fancy", "Needs a package.", compare, requires=("nosuch_package: pip install nosuch",))


@tsgap.hookimpl
def tsgap_datasets():
    yield tsgap.DatasetSpec("one-value", "One series of one value.", frame, card)
