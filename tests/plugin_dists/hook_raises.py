"""A plugin of which one hook fails and the other does not."""

import tsgap


@tsgap.hookimpl
def tsgap_forecasters():
    raise OSError("the model list is gone")


@tsgap.hookimpl
def tsgap_generators():
    yield tsgap.GeneratorSpec("survivor", "Is found all the same.", dict)
