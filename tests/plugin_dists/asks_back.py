"""A plugin that registers itself while plugins are being loaded."""

import tsgap


class Mine:
    pass


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("mine", "Mine.", Mine)


tsgap.register(tsgap.ForecasterSpec("mine", "Mine.", Mine))
