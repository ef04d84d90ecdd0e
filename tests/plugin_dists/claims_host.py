"""A plugin that claims names of the host: of a forecaster, a generator, a metric, a diagnostic and two data sets."""

import tsgap


class Claim:
    def fit(self, train, **options):
        self.train = train

    def predict(self, history, *, horizon, quantile_levels=()):
        raise RuntimeError("the wrong one")

    def sample(self, *, seed):
        return self.train


def zero(truth, forecast, scale):
    return 0 * (truth - forecast)


def frame():
    raise RuntimeError("the wrong one")


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("seasonal-naive", "Another one.", Claim)


@tsgap.hookimpl
def tsgap_generators():
    yield tsgap.GeneratorSpec("shuffle", "Another one.", Claim)


@tsgap.hookimpl
def tsgap_metrics():
    yield tsgap.MetricSpec("mase", "Another one.", zero)


@tsgap.hookimpl
def tsgap_diagnostics():
    yield tsgap.DiagnosticSpec("shift", "Another one.", lambda contrast, *, seed: tsgap.Diagnosed(()))


@tsgap.hookimpl
def tsgap_datasets():
    yield tsgap.DatasetSpec("macrodata", "A card without a head.", frame, lambda: "no head")
    yield tsgap.DatasetSpec("m4_weekly", "Its card is the host's, its data are fetched.", frame, lambda: "no head")
