"""One law for one forecaster, generator, metric or diagnostic, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tsgap.engines.task import described
from tsgap.testing.diagnostic_laws import DIAGNOSTIC_LAWS, DiagnosticSubject
from tsgap.testing.forecaster_laws import FORECASTER_LAWS
from tsgap.testing.generator_laws import GENERATOR_LAWS
from tsgap.testing.metric_laws import METRIC_LAWS, MetricSubject
from tsgap.testing.subject import BrokenLaw, ForecasterSubject, GeneratorSubject

Kind = Literal["forecaster", "generator", "metric", "diagnostic"]

#: kind → (what is under test, made from what was chosen; the laws it is held against)
LAWS: dict[Kind, tuple[Callable[[Any], Any], tuple[Callable[[Any], str], ...]]] = {
    "forecaster": (ForecasterSubject, FORECASTER_LAWS),
    "generator": (GeneratorSubject, GENERATOR_LAWS),
    "metric": (MetricSubject, METRIC_LAWS),
    "diagnostic": (DiagnosticSubject, DIAGNOSTIC_LAWS),
}


@dataclass(frozen=True)
class CheckResult:
    """What became of one law: `reason` says why it is broken, was expected to be, or what was found.

    `status` is ``"ok"``, ``"failed"``, or ``"expected"`` for a law that was announced as broken, and is. One that
    was announced as broken and holds has failed: the announcement is out of date. `traceback` is where the plugin
    raised, died or was stopped; empty where it did not.
    """

    check: str
    status: Literal["ok", "failed", "expected"]
    reason: str
    seconds: float
    traceback: str = ""


@dataclass(frozen=True)
class Check:
    """One law for something under test; calling it raises `BrokenLaw`, or gives what was found."""

    name: str
    law: Callable[[Any], str] = field(repr=False)
    subject: Any = field(repr=False)
    kind: Kind
    chosen: Any = field(repr=False)

    def __call__(self) -> str:
        return self.law(self.subject)


@dataclass(frozen=True)
class Verdict:
    """Whether a law holds, in words, with a traceback where there is one."""

    holds: bool
    words: str
    traceback: str
    seconds: float

    def result(self, name: str, expected: str | None = None) -> CheckResult:
        """The result of a law, which is `expected` to be broken for a reason, or not."""
        status: Literal["ok", "failed", "expected"] = "ok" if self.holds else "failed"
        reason = self.words
        if expected is not None and self.holds:
            status, reason = "failed", f"holds, though it was expected to fail: {expected}"
        elif expected is not None:
            status, reason = "expected", f"{expected} ({self.words})"
        return CheckResult(name, status, reason, self.seconds, self.traceback)


def checks_of(kind: Kind, chosen: Any) -> list[Check]:
    """All laws for what was chosen, on one subject."""
    make, laws = LAWS[kind]
    subject = make(chosen)
    return [Check(law.__name__, law, subject, kind, chosen) for law in laws]


def verdict(law: Callable[[Any], str], subject: Any) -> Verdict:
    """Hold a subject against a law; whatever the plugin raises is the verdict."""
    started = time.perf_counter()
    holds, trace = True, ""
    try:
        words = law(subject)
    except (Exception, SystemExit) as err:  # noqa: BLE001 - what a plugin raises is the result of the check
        holds = False
        _, words, trace = described(err)
        if isinstance(err, BrokenLaw):
            words, trace = str(err), trace if err.__cause__ else ""
    return Verdict(holds, " ".join(words.split()), trace, time.perf_counter() - started)
