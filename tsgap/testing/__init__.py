"""The contract kit: hold a forecaster or a generator against the laws it must keep, in a line of Python or of pytest.

>>> from tsgap.testing import check_forecaster
>>> [result.check for result in check_forecaster("naive") if result.status == "failed"]
[]
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tsgap.errors import UsageError
from tsgap.plugins import choose_forecaster, choose_generator
from tsgap.testing.forecaster_laws import FORECASTER_LAWS
from tsgap.testing.generator_laws import GENERATOR_LAWS
from tsgap.testing.subject import BrokenLaw, ForecasterSubject, GeneratorSubject

__all__ = [
    "BrokenLaw",
    "Check",
    "CheckResult",
    "all_known",
    "check_forecaster",
    "check_generator",
    "forecaster_checks",
    "generator_checks",
    "parametrize_with_checks",
    "result",
]


@dataclass(frozen=True)
class CheckResult:
    """What became of one law: `reason` says why it is broken, was expected to be, or what was found.

    `status` is ``"ok"``, ``"failed"``, or ``"expected"`` for a law that was announced as broken, and is. One that
    was announced as broken and holds has failed: the announcement is out of date.
    """

    check: str
    status: Literal["ok", "failed", "expected"]
    reason: str
    seconds: float


@dataclass(frozen=True)
class Check:
    """One law for one forecaster or generator; calling it raises `BrokenLaw`, or gives what was found."""

    name: str
    law: Callable[[Any], str] = field(repr=False)
    subject: Any = field(repr=False)

    def __call__(self) -> str:
        return self.law(self.subject)


def forecaster_checks(what: Any) -> list[Check]:
    """The laws for one forecaster: a name with parameters, ``module:callable``, or an object."""
    subject = ForecasterSubject(choose_forecaster(what))
    return [Check(law.__name__, law, subject) for law in FORECASTER_LAWS]


def generator_checks(what: Any) -> list[Check]:
    """The laws for one generator: a name with parameters, ``module:callable``, or an object."""
    subject = GeneratorSubject(choose_generator(what))
    return [Check(law.__name__, law, subject) for law in GENERATOR_LAWS]


def check_forecaster(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a forecaster against every law of its contract, on small made-up panels.

    `what` is what a sweep takes: a name with parameters, ``module:callable``, or an object.
    `expected_failed_checks` maps a law that is known to be broken to the reason.
    """
    return _results(forecaster_checks(what), expected_failed_checks or {})


def check_generator(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a generator against every law of its contract, on small made-up panels."""
    return _results(generator_checks(what), expected_failed_checks or {})


def parametrize_with_checks(
    what: Any, *, generator: bool = False, expected_failed_checks: Mapping[str, str] | None = None
) -> Any:
    """A pytest decorator: the test function gets a `check` and calls it, once for each law.

    ::

        @parametrize_with_checks("my-forecaster")
        def test_contract(check):
            check()
    """
    import pytest

    checks = generator_checks(what) if generator else forecaster_checks(what)
    expected = expected_failed_checks or {}
    all_known(expected, checks)
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                check,
                id=check.name,
                marks=[pytest.mark.xfail(reason=expected[check.name], strict=True)] if check.name in expected else [],
            )
            for check in checks
        ],
    )


def all_known(expected: Mapping[str, str], checks: list[Check]) -> None:
    """Raise `UsageError` where a law that is expected to be broken does not exist."""
    names = [check.name for check in checks]
    for name in expected:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"expected_failed_checks: there is no check {name!r}; {hint}There are: {', '.join(names)}")


def _results(checks: list[Check], expected: Mapping[str, str]) -> list[CheckResult]:
    all_known(expected, checks)
    return [result(check, expected.get(check.name)) for check in checks]


def result(check: Check, expected: str | None = None) -> CheckResult:
    """Run one check; whatever the plugin raises is its result."""
    started = time.perf_counter()
    status: Literal["ok", "failed", "expected"] = "ok"
    try:
        reason = check()
    except (Exception, SystemExit) as err:  # noqa: BLE001 - what a plugin raises is the result of the check
        words = str(err) if isinstance(err, BrokenLaw) else f"{type(err).__name__}: {err}"
        status, reason = "failed", " ".join(words.split())
    if expected is not None:
        if status == "failed":
            status, reason = "expected", f"{expected} ({reason})"
        else:
            status, reason = "failed", f"holds, though it was expected to fail: {expected}"
    return CheckResult(check.name, status, reason, time.perf_counter() - started)
