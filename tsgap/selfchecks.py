"""Does the bench see what it claims to see, on these very data? A sweep over sources with known answers says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap import checklist, resampling
from tsgap.arms import train_figures
from tsgap.checklist import OK, Check
from tsgap.engines import LOCAL
from tsgap.errors import StoreError
from tsgap.evidence import Evidence, Place
from tsgap.experiment import BASELINE, DataSpec, Experiment, SourceSpec, data_spec, whole
from tsgap.findings import Rules
from tsgap.inputs import Data, read_data
from tsgap.metrics import losses
from tsgap.opened import bench
from tsgap.panel import Floats, Panel
from tsgap.plugins import registry
from tsgap.readers import ReadOptions
from tsgap.run import Run
from tsgap.scaling import location_and_scale, scaled, spare_scales
from tsgap.store import Store
from tsgap.sweeps import Progress, folder_of, perform

if TYPE_CHECKING:
    import pandas as pd

#: Forecasters whose gap after training on a copy must be exactly 0: one without parameters, linear ones, one by chance.
EXACT = (BASELINE, "linear", "lag-probe", "gradient-boosting:iterations=50,samples=10000")
#: Those that are trained on what has lost its memory.
MEMORY = (BASELINE, "linear", "lag-probe")
#: Seasons (of 10 values at least) below which IAAFT surrogates keep too little of the spectrum to be held to it.
SEASONS = 50
#: Share of the variance that may lie between the two halves of a series that counts as stationary.
DRIFT = 0.05
#: Blocks that every series must hold for the lag probe to lie on its curve: shorter ones, scaled by what was drawn,
#: stray from it.
BLOCKS = 10

PASSED, BROKEN, NOTHING_SHOWN = "passed", "broken", "nothing shown"


@dataclass(frozen=True)
class SelfCheck:
    """What the bench showed on one data set where the answer is known.

    `verdict`: ``"broken"`` where a check came out wrong; ``"passed"`` where none did, copy and canary are exactly 0
    and shuffled series were seen to be worse; else ``"nothing shown"``: the data are too few or have too little
    memory to show that anything could be seen. `folder` holds the runs behind it.
    """

    data: str
    checks: tuple[Check, ...]
    folder: Path

    @property
    def verdict(self) -> str:
        """``"passed"``, ``"broken"`` or ``"nothing shown"``."""
        if any(one.outcome == checklist.BROKEN for one in self.checks):
            return BROKEN
        shown = {name: [one.outcome for one in self.checks if one.name == name] for name in ("copy", "canary")}
        exact = all(found and set(found) == {OK} for found in shown.values())
        seen = any(one.name == "shuffle" and one.outcome == OK for one in self.checks)
        return PASSED if exact and seen else NOTHING_SHOWN

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.verdict == PASSED

    def to_frame(self) -> pd.DataFrame:
        """One row a check: `data, check, forecaster, expected, seen, outcome`."""
        import pandas as pd

        rows = [(self.data, *asdict(one).values()) for one in self.checks]
        return pd.DataFrame(rows, columns=["data", "check", "forecaster", "expected", "seen", "outcome"])

    def __str__(self) -> str:
        lines = [f"self-check of {self.data}: {self.verdict}"]
        for one in self.checks:
            lines.append(f"  {one.outcome:>14}  {one.name}, {one.forecaster.partition(':')[0]}")
            lines.append(f"{'':18}expected: {one.expected}")
            lines.append(f"{'':18}seen:     {one.seen}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from tsgap.formats import html_text

        return html_text(self.to_frame(), title=f"self-check of {self.data}: {self.verdict}")


def selfcheck(
    real: Any,
    *,
    horizons: Sequence[int | str] | str | int = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
    scaling: str | None = None,
    context: int | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    timeout: float = 600.0,
    on_progress: Callable[[Progress], None] | None = None,
    **reading: Any,
) -> SelfCheck:
    """Hold the bench against what it must show on one real data set, with cheap forecasters.

    Copies of the real series must show a gap of exactly 0, shuffled ones a large one, blocks of half a season what
    the autocorrelation foretells, IAAFT surrogates none for a linear forecaster; model seeds must not differ. The data
    are split as a sweep with the same settings splits them; `reading` are the settings of `ReadOptions`. What was
    computed in `out` is not computed again.
    """
    spec = data_spec(
        real,
        options=ReadOptions(**reading),
        horizons=horizons,
        windows=windows,
        step=step,
        first_cutoff=first_cutoff,
    )
    settings = {"scaling": scaling, "context": whole("context", context), "seed": whole("seed", seed)}
    running = {"jobs": jobs, "engine": engine, "timeout": timeout, "on_progress": on_progress}
    return _checked(spec, settings, None if out is None else Path(out), running)


def record(experiment: Experiment, run: Run, **running: Any) -> tuple[SelfCheck, ...]:
    """The self-check of every data set of a sweep, with its settings, kept in the folder of its run.

    `running` are `jobs`, `engine`, `timeout` and `on_progress`. What is recorded belongs to the data and settings
    it was made with: `Run.checked` reads it for these alone.
    """
    settings = {name: getattr(experiment, name) for name in ("scaling", "context", "seed")}
    found = []
    for spec in experiment.data:
        told = run.manifest["data"][spec.name]
        home = run.path / "selfcheck" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', spec.name)}-{told['truth'][-8:]}"
        found.append(_checked(spec, settings, home, running))
    with Store.open(run.path) as store:
        kept = _kept(store)
        for one in found:
            checks = [asdict(check) for check in one.checks]
            kept[one.data] = {"bench": bench(run.manifest, one.data), "verdict": one.verdict, "checks": checks}
        store.write_json("selfcheck", kept)
    return tuple(found)


def _kept(store: Store) -> dict[str, Any]:
    try:
        return dict(store.read_json("selfcheck"))
    except StoreError:
        return {}


def _checked(spec: DataSpec, settings: Mapping[str, Any], out: Path | None, running: Mapping[str, Any]) -> SelfCheck:
    data = read_data(spec)
    m, shortest = data.train.season, int(data.train.lengths.min())
    block, why = max(2, m // 2), ""
    if m < 4:
        why = f"a season of {m} steps has no half to cut blocks of"
    elif shortest <= block:
        why = f"the shortest training series has {shortest} values, a block {block}"
    sources = {"shuffle": "gen:shuffle", "iaaft": "gen:iaaft"}
    sources |= {} if why else {"block-bootstrap": f"gen:block-bootstrap:length={block}"}
    exact = Experiment((spec,), (SourceSpec("copy", "gen:copy"),), EXACT, null=False, **settings)
    memory = replace(exact, sources=tuple(SourceSpec(*one) for one in sources.items()), forecasters=MEMORY, null=True)
    home = folder_of(memory, [data], None) if out is None else out
    copied = perform(exact, out=home / "exact", **running)
    lost = perform(memory, out=home / "memory", **running)
    return SelfCheck(
        spec.name,
        (
            *_exact(copied),
            checklist.exactly_none(
                "canary", [of[BASELINE] for run in (copied, lost) for of in _evidence(run, "mase").values()]
            ),
            *_memory(lost, data, block, why),
        ),
        home,
    )


def _exact(run: Run) -> list[Check]:
    """What holds to the last bit, and chance between model seeds."""
    every = _evidence(run, "mase")["copy"]
    copied = [one for one in every.values() if one.transfer != "none"]
    found = [checklist.exactly_none("copy", [one]) for one in copied]
    return found + [checklist.same_arm(one, Rules()) for one in copied if one.stochastic]


def _memory(run: Run, data: Data, block: int, why_no_blocks: str) -> list[Check]:
    """What must be seen of lost memory, and what must not."""
    rules, every = Rules(), _evidence(run, "mase")
    found = [checklist.shuffled(every["shuffle"]["linear"], rules)]
    if why_no_blocks:
        no_blocks = ("what is lost is seen", why_no_blocks, checklist.NOT_APPLICABLE)
        found += [Check("block-bootstrap", name, *no_blocks) for name in ("linear", "lag-probe")]
    else:
        linear = every["block-bootstrap"]["linear"]
        probe = _evidence(run, "rmsse")["block-bootstrap"]["lag-probe"]
        foretold, shortest = _Foretold(run, data, block), int(data.train.lengths.min())
        found.append(checklist.blocks_break(linear, foretold.linear(linear.places), rules))
        unfit = f"the shortest training series has {shortest} values, {BLOCKS} blocks have {BLOCKS * block}"
        curve = foretold.probe(probe.places)
        found.append(checklist.on_the_curve(probe, curve, rules, unfit if shortest < BLOCKS * block else ""))
    found.append(checklist.spectrum_kept(every["iaaft"]["linear"], rules, unfit_for_surrogates(data.train)))
    return found


def _evidence(run: Run, metric: str) -> dict[str, dict[str, Evidence]]:
    """By source, by forecaster."""
    return {source: {one.forecaster: one for one in every} for (_, source), every in run.evidence(metric)}


class _Foretold:
    """What the autocovariances of the real training part say of forecasters trained on blocks of it."""

    def __init__(self, run: Run, data: Data, block: int) -> None:
        cells = run.cells()
        row = cells[cells.forecaster == "lag-probe"].iloc[0]
        self.context, self.horizon, self.scaling = int(row.context), data.split.horizon, str(row.scaling)
        self.truth, self.data = run.truth(data.name), data
        figures = train_figures(data.train)
        by_row = np.array([figures[key] for key in data.train.keys])
        shift, size, _ = location_and_scale(data.train, self.scaling, None, by_row)
        train, lags = scaled(data.train, shift, size), self.context + self.horizon - 1
        self.real = resampling.lagged(train, lags)
        self.blocks = resampling.resampled(train, lags, block)
        histories = data.split.histories(self.context)
        of_row = np.array([figures[key] for key in histories.series])
        spare = spare_scales(data.split.train, self.scaling)
        instead = None if spare is None else spare[data.split.series]
        self.shift, self.size, _ = location_and_scale(histories, self.scaling, self.context, of_row, instead)
        self.last = (histories.values[histories.offsets[1:] - 1] - self.shift) / self.size

    def linear(self, places: Sequence[Place]) -> Floats:
        """Log ratio of errors of the best linear forecasts (P,), as far as autocovariances tell."""
        gap = resampling.linear_gap(self.real, self.blocks, self.context, self.horizon)
        return np.array([gap[first - 1 : last].mean() for first, last in places])

    def probe(self, places: Sequence[Place]) -> Floats:
        """Log ratio of root mean squared errors of the lag probe on the test windows (P,)."""
        far, near = (self._loss(moments) for moments in (self.blocks, self.real))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array(
                [0.5 * np.log(np.nansum(far[:, f - 1 : t]) / np.nansum(near[:, f - 1 : t])) for f, t in places]
            )

    def _loss(self, moments: resampling.Lagged) -> Floats:
        slope, intercept = (line[: self.horizon] for line in moments.lines())
        mean = (intercept + slope * self.last[:, None]) * self.size[:, None] + self.shift[:, None]
        rmsse = registry().named("metrics", "rmsse").spec
        return losses(rmsse, self.truth.values, mean, self.truth.scale(rmsse)) * self.truth.weights[:, None]


def unfit_for_surrogates(train: Panel) -> str:
    """Why IAAFT surrogates of these series need not keep their linear dependence; "" where they must.

    A periodogram takes a series for one turn of a circle: where its end does not fit its beginning, or few seasons
    are there, the surrogate has another spectrum than the process.
    """
    m, shortest = train.season, int(train.lengths.min())
    if shortest < (need := SEASONS * max(m, 10)):
        return f"the shortest training series has {shortest} values, {need} are needed"
    drift = float(np.mean([_drift(y) for y in train]))
    if drift > DRIFT:
        return f"the series are not stationary: {100 * drift:.0f} % of their variance lies between their halves"
    return ""


def _drift(y: Floats) -> float:
    """Share of the variance that lies between the means of the two halves."""
    half, variance = len(y) // 2, float(y.var())
    return float((y[:half].mean() - y[half:].mean()) ** 2 / 4 / variance) if variance > 0 else 0.0


__all__ = ["SelfCheck", "record", "selfcheck"]
