"""The surroundings of every call into a library: one thread, no messages, no traces, a clear word if it is missing."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsgap.errors import ForecastError

#: How to install a package that a forecaster needs.
INSTALL = {
    "darts": "pip install tsgap-darts",
    "lightgbm": "pip install 'tsgap-darts[lightgbm]'",
    "torch": "pip install torch==2.13.0 && pip install 'tsgap-darts[torch]'",
}
_LOGGERS = ("darts", "pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric")


def requires(*packages: str) -> tuple[str, ...]:
    """The packages as a spec lists them, with the way to install each."""
    return tuple(f"{package}: {INSTALL[package]}" for package in packages)


@dataclass(frozen=True)
class Needed:
    """A class of a library: its module, and the packages without which it cannot be imported."""

    module: str
    attribute: str
    packages: tuple[str, ...]

    def load(self, name: str) -> Any:
        """Import the class for the forecaster `name`; raise `ForecastError` with the install hint where it fails."""
        with silent():
            for package in self.packages:
                try:
                    importlib.import_module(package)
                except ImportError as err:
                    raise ForecastError(f"{name} needs {package} ({err}); install it: {INSTALL[package]}") from err
            try:
                return getattr(importlib.import_module(self.module), self.attribute)
            except (ImportError, AttributeError) as err:
                hint = INSTALL[self.packages[-1]]
                raise ForecastError(f"{name} finds no {self.attribute} ({err}); install it: {hint}") from err


@contextmanager
def silent() -> Iterator[None]:
    """No warnings and no log lines from the libraries until the block ends; what goes wrong is an exception."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread in every numerical library that is loaded, until the block ends."""
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)


@contextmanager
def chance_left_alone() -> Iterator[None]:
    """The global generator of numpy as it was, after the block: darts draws a seed from it where it is given none."""
    state = np.random.get_state()  # noqa: NPY002 - it is the one that darts uses
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
