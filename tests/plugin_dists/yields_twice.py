"""A plugin that yields one name twice."""

import tsgap


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("again", "First.", dict)
    yield tsgap.ForecasterSpec("again", "Second.", dict)
