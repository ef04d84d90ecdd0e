"""Every exception that tsgap raises on purpose.

TsgapError
├── UsageError (ValueError)        an option, name or file binding that makes no sense
│   └── UnknownNameError (LookupError)   a forecaster, generator, metric, … nobody registered
├── DataError (ValueError)         data that cannot be read, or cannot be used as asked
├── PluginError (RuntimeError)     a plugin that does not load, or clashes with another
├── ContractError (ValueError)     a plugin that broke the contract it declared
├── ForecastError (RuntimeError)   a forecaster says why it cannot fit or forecast
└── StoreError (OSError)           a run folder that cannot be written or read
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TsgapError(Exception):
    """Base of all; its message is fit to be shown to a user as it is."""


class UsageError(TsgapError, ValueError):
    """What was asked makes no sense, or two things that were asked contradict each other."""


class UnknownNameError(UsageError, LookupError):
    """A name nobody registered; the message lists near names and all names."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], *, note: str = "") -> UnknownNameError:
        """Build the message: what was asked, near names, all names, and `note` (plugins that failed, say)."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
        listed = ", ".join(names) if names else "none"
        return cls(f"no {kind} is called {name!r}{hint} There are: {listed}.{' ' + note if note else ''}")


class DataError(TsgapError, ValueError):
    """Data that cannot be read, or cannot be used as asked."""


class PluginError(TsgapError, RuntimeError):
    """A plugin that does not load, or clashes with another."""


class ContractError(TsgapError, ValueError):
    """A plugin broke the contract: wrong shape, order, type, or a forecast that is not finite."""


class ForecastError(TsgapError, RuntimeError):
    """Raised by a forecaster that cannot fit or forecast; the message is the reason shown in the result."""


class StoreError(TsgapError, OSError):
    """A run folder that cannot be written or read."""
