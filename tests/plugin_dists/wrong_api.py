"""A plugin written for a contract of the future."""

import tsgap

TSGAP_API = 99


@tsgap.hookimpl
def tsgap_forecasters():
    yield tsgap.ForecasterSpec("future", "Not yet.", dict)
