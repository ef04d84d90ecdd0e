"""What `tsgap show` can print of a run instead of its errors: one flag, one view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tsgap.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run


@dataclass(frozen=True)
class Asked:
    """What a view is asked about: `only` are the `data`, `source` and `forecaster` to keep, None all of them.

    `every`: the text leaves nothing out.
    """

    metrics: Sequence[str]
    by: str | None
    only: Mapping[str, Any]
    every: bool = False


@dataclass(frozen=True)
class Shown:
    """What a view has to show: its rows, the same for eyes, whether nothing failed, and JSON where rows do not do."""

    frame: Callable[[], pd.DataFrame]
    text: Callable[[], str]
    ok: bool
    json: Callable[[], str] | None = None


@dataclass(frozen=True)
class View:
    """A flag: its line of help, what shows it, and which of ``metric``, ``by`` and ``all`` go with it.

    `bys` are the places that it takes.

    `tells` says what the view is over, for the message about an option that does not go with it.
    """

    help: str
    show: Callable[[Run, Asked], Shown]
    takes: tuple[str, ...] = ("metric",)
    tells: str = "is over all leads and series"
    bys: tuple[str, ...] = field(default=())

    def check(self, flag: str, given: Sequence[str], by: str | None) -> None:
        """`UsageError` for an option that the view would ignore."""
        wrong = [name for name in given if name not in self.takes]
        if wrong:
            raise UsageError(f"--{flag} {self.tells}: --{wrong[0]} does not go with it")
        if by is not None and "by" in self.takes and by not in self.bys:
            raise UsageError(f"--by {by} does not go with --{flag}; there are {', '.join(self.bys)}")


def _failures(run: Run, asked: Asked) -> Shown:
    from tsgap.remarks import details

    def text() -> str:
        return "\n".join(details(run, **asked.only)) + "\n"

    return Shown(lambda: run.failures(**asked.only), text, run.complete and not run.n_failed)


def _validation(run: Run, asked: Asked) -> Shown:
    from tsgap.cli.validation import tables

    frame, text = tables(run, asked.metrics, **asked.only)
    return Shown(lambda: frame, lambda: text, run.complete and not run.n_failed)


def _augmentation(run: Run, asked: Asked) -> Shown:
    import pandas as pd

    from tsgap.augments import of_run

    found = [of_run(run, metric, **asked.only) for metric in asked.metrics]
    return Shown(
        lambda: pd.concat([one.to_frame() for one in found], ignore_index=True),
        lambda: "\n".join(map(str, found)),
        all(one.ok for one in found),
        found[0].to_json if len(found) == 1 else None,
    )


def _calibration(run: Run, asked: Asked) -> Shown:
    from tsgap.cli.calibration import tables
    from tsgap.remarks import all_well

    frame, text = tables(run, asked.by or "bin", **asked.only)
    return Shown(lambda: frame, lambda: text, all_well(run, frame))


def _diagnostics(run: Run, asked: Asked) -> Shown:
    found = run.diagnostics(asked.metrics[0], **_sources(asked))
    return Shown(found.to_frame, lambda: found.to_text(every=asked.every), found.ok, found.to_json)


def _sources(asked: Asked) -> dict[str, Any]:
    """Diagnostics know no forecasters."""
    return {name: asked.only.get(name) for name in ("data", "source")}


def _frontier(run: Run, asked: Asked) -> Shown:
    from tsgap.cli.explaining import frontier_text

    frame = run.frontier(asked.metrics[0], **_sources(asked))
    return Shown(lambda: frame, lambda: frontier_text(frame), bool((frame.status == "ok").all()))


def _predictors(run: Run, asked: Asked) -> Shown:
    from tsgap.cli.explaining import predictors_text

    frame = run.predictors(asked.metrics[0], **_sources(asked))
    return Shown(lambda: frame, lambda: predictors_text(frame), bool((frame.status == "ok").any()))


def _subgroups(run: Run, asked: Asked) -> Shown:
    import pandas as pd

    from tsgap.cli.subgroups import text_of

    found = pd.concat([run.subgroups(metric, **asked.only) for metric in asked.metrics], ignore_index=True)
    return Shown(lambda: found, lambda: text_of(found), bool((found.status == "ok").any()))


def _robustness(run: Run, asked: Asked) -> Shown:
    from tsgap.cli.robustness import tables
    from tsgap.remarks import all_well

    frame, text = tables(run, asked.metrics, asked.by, **asked.only)
    return Shown(lambda: frame, lambda: text, all_well(run, frame))


def _ranks(run: Run, asked: Asked) -> Shown:
    import pandas as pd

    from tsgap.cli.ranks import text_of

    found = pd.concat([run.rank_consistency(metric, **asked.only) for metric in asked.metrics], ignore_index=True)
    return Shown(lambda: found, lambda: text_of(found), run.complete and not run.n_failed)


#: flag → view, in the order of `--help`.
VIEWS: dict[str, View] = {
    "validation": View("can validating on synthetic series be trusted?", _validation),
    "augmentation": View(
        "does adding the synthetic series to the real ones help?", _augmentation, tells="is by bins of leads"
    ),
    "calibration": View(
        "do quantile forecasts hold what they promise (a sweep with --calibration)?",
        _calibration,
        takes=("by",),
        tells="is about all quantiles",
        bys=("bin", "lead", "horizon"),
    ),
    "diagnostics": View(
        "how do the synthetic series themselves differ from the real ones (a sweep with --diagnose)?",
        _diagnostics,
        takes=("metric", "all"),
        tells="is by source",
    ),
    "frontier": View("what does each source cost in accuracy and in privacy (with --diagnose)?", _frontier),
    "predictors": View("which diagnostics rank the sources as the gap does (with --diagnose)?", _predictors),
    "subgroups": View(
        "is the gap the same in all groups of series and windows (more of them with --diagnose)?",
        _subgroups,
        tells="is by groups and over all leads; --format csv has the bins",
    ),
    "robustness": View(
        "what do perturbed histories cost (a sweep with --stress)?",
        _robustness,
        takes=("metric", "by"),
        tells="is over all series",
        bys=("bin", "lead", "horizon"),
    ),
    "ranks": View("are forecasters ranked as after real training?", _ranks),
    "failures": View(
        "what failed, its windows, and the tracebacks that were kept.",
        _failures,
        takes=(),
        tells="shows no errors of forecasts",
    ),
}
