"""A plugin that yields a class where a spec is due."""

import tsgap


@tsgap.hookimpl
def tsgap_forecasters():
    yield dict
