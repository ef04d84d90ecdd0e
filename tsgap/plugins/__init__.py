"""Plugins: find them, isolate the broken ones, name what they offer, and choose by name, address or object."""

from __future__ import annotations

from tsgap.plugins.choosing import Chosen, choose_forecaster, choose_generator, missing_requirements, shown
from tsgap.plugins.finding import Broken, Registered, Registry, metrics, prints_to_stderr, register, registry

__all__ = [
    "Broken",
    "Chosen",
    "Registered",
    "Registry",
    "choose_forecaster",
    "choose_generator",
    "metrics",
    "missing_requirements",
    "prints_to_stderr",
    "register",
    "registry",
    "shown",
]
