"""A plugin whose spec is refused."""

import tsgap


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("of course", "Has a space in its name.", dict)
