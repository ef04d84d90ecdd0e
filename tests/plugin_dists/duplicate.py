"""A plugin that claims the name of another one's forecaster."""

import tsgap


class Drift:
    pass


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("drift", "Another drift.", Drift)
