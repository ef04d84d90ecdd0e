"""A plugin whose specs cannot be called as the host calls them, each next to one that can."""

import functools

import tsgap


class Two:
    def __init__(self, lags, strength=1.0):
        pass


class Anything:
    def __init__(self, **options):
        pass


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("misspelt", "Its build has no such parameter.", Two, params={"lags": 1, "strenght": 1})
    yield tsgap.ForecasterSpec("lacking", "Its build needs another one.", functools.partial(Two, strength=2.0))
    yield tsgap.ForecasterSpec("open", "Takes all.", Anything, params={"whatever": 1})
    yield tsgap.ForecasterSpec("untold", "Has no signature.", dict, params={"whatever": 1})
    yield tsgap.ForecasterSpec("never", "Is never built.", Two, refused="it learns nothing")


@tsgap.hookimpl
def tsgap_generators():
    yield tsgap.GeneratorSpec("misspelt-too", "Its build has no such parameter.", Two, params={"lag": 1})


@tsgap.hookimpl
def tsgap_metrics():
    yield tsgap.MetricSpec("two-arguments", "Takes no scale.", lambda truth, forecast: truth - forecast)
    yield tsgap.MetricSpec("fine", "Takes all three.", lambda truth, forecast, scale: abs(truth - forecast))


@tsgap.hookimpl
def tsgap_diagnostics():
    yield tsgap.DiagnosticSpec("seedless", "Takes no seed.", lambda contrast: None)


@tsgap.hookimpl
def tsgap_datasets():
    yield tsgap.DatasetSpec("wants", "Wants a path.", lambda path: None, lambda: "")
    yield tsgap.DatasetSpec("card-wants", "Wants a path.", lambda: None, lambda path: "")
