"""The contract kit: forecasters, generators, metrics and diagnostics held against their laws, in a line of code.

>>> from tsgap.testing import check_forecaster
>>> [result.check for result in check_forecaster("naive") if result.status == "failed"]
[]
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from tsgap.errors import UsageError
from tsgap.plugins import choose_diagnostic, choose_forecaster, choose_generator, choose_metric
from tsgap.testing.checks import Check, CheckResult, checks_of, verdict
from tsgap.testing.running import TIMEOUT, run_checks
from tsgap.testing.subject import BrokenLaw

__all__ = [
    "TIMEOUT",
    "BrokenLaw",
    "Check",
    "CheckResult",
    "all_known",
    "check_diagnostic",
    "check_forecaster",
    "check_generator",
    "check_metric",
    "diagnostic_checks",
    "forecaster_checks",
    "generator_checks",
    "metric_checks",
    "parametrize_with_checks",
    "result",
    "run_checks",
]


def forecaster_checks(what: Any) -> list[Check]:
    """The laws for one forecaster: a name with parameters, ``module:callable``, or an object."""
    return checks_of("forecaster", choose_forecaster(what))


def generator_checks(what: Any) -> list[Check]:
    """The laws for one generator: a name with parameters, ``module:callable``, or an object."""
    return checks_of("generator", choose_generator(what))


def metric_checks(what: Any) -> list[Check]:
    """The laws for one metric: a name, the address ``module:spec``, or a `MetricSpec`."""
    return checks_of("metric", choose_metric(what))


def diagnostic_checks(what: Any) -> list[Check]:
    """The laws for one diagnostic: a name, ``module:function``, a function or a `DiagnosticSpec`."""
    return checks_of("diagnostic", choose_diagnostic(what))


def check_forecaster(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a forecaster against every law of its contract, on small made-up panels, in this process.

    `what` is what a sweep takes: a name with parameters, ``module:callable``, or an object.
    `expected_failed_checks` maps a law that is known to be broken to the reason.
    """
    return _results(forecaster_checks(what), expected_failed_checks or {})


def check_generator(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a generator against every law of its contract, on small made-up panels, in this process."""
    return _results(generator_checks(what), expected_failed_checks or {})


def check_metric(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a metric against every law of its contract, on made-up pairs, in this process."""
    return _results(metric_checks(what), expected_failed_checks or {})


def check_diagnostic(what: Any, *, expected_failed_checks: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Hold a diagnostic against every law of its contract, on made-up contrasts, in this process."""
    return _results(diagnostic_checks(what), expected_failed_checks or {})


def parametrize_with_checks(
    what: Any,
    *,
    generator: bool = False,
    metric: bool = False,
    diagnostic: bool = False,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> Any:
    """A pytest decorator: the test function gets a `check` and calls it, once for each law.

    `what` is a forecaster, unless `generator`, `metric` or `diagnostic` says otherwise.

    ::

        @parametrize_with_checks("my-forecaster")
        def test_contract(check):
            check()
    """
    import pytest

    kinds = [
        checks_of_kind
        for asked, checks_of_kind in (
            (generator, generator_checks),
            (metric, metric_checks),
            (diagnostic, diagnostic_checks),
        )
        if asked
    ]
    if len(kinds) > 1:
        raise UsageError(f"{what!r} is one of a generator, a metric and a diagnostic")
    checks = (kinds or [forecaster_checks])[0](what)
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


def all_known(expected: Mapping[str, str], checks: Sequence[Check]) -> None:
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
    return verdict(check.law, check.subject).result(check.name, expected)
