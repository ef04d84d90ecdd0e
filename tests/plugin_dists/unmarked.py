"""A plugin whose hook is not marked."""

import tsgap


def tsgap_forecasters():
    yield tsgap.ForecasterSpec("unmarked", "Nobody calls it.", dict)
