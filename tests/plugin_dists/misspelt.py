"""A plugin with a misspelt hook."""

import tsgap


@tsgap.hookimpl
def tsgap_forecaster():
    yield tsgap.ForecasterSpec("lost", "Never found.", dict)
