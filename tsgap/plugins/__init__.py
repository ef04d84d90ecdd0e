"""Plugins: find them, isolate the broken ones, name what they offer, and choose by name, address or object."""

from __future__ import annotations

from tsgap.plugins.choosing import (
    Chosen,
    choose_diagnostic,
    choose_features,
    choose_forecaster,
    choose_generator,
    choose_metric,
    code_of,
    missing_requirements,
)
from tsgap.plugins.finding import prints_to_stderr, register, registry
from tsgap.plugins.naming import Broken, Clash, Registered, Registry
from tsgap.plugins.parameters import shown

__all__ = [
    "Broken",
    "Chosen",
    "Clash",
    "Registered",
    "Registry",
    "choose_diagnostic",
    "choose_features",
    "choose_forecaster",
    "choose_generator",
    "choose_metric",
    "code_of",
    "missing_requirements",
    "prints_to_stderr",
    "register",
    "registry",
    "shown",
]
