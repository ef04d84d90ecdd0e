"""Which arms augmentation asks for: what each learns from, and which windows it forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tsgap.additive import Grouping
from tsgap.arms import Rules, TrainingSet, figures_of, pairing, relabelled, train_figures
from tsgap.augmentation import AUGMENTED, CHEAP, DUPLICATED, FRACTION, INNER, REAL, REWEIGHTED, SHARES, SYNTHETIC
from tsgap.blends import SLICES, Blend, adds_moments
from tsgap.curve import FRACTIONS, REPEATS
from tsgap.drawing import Wanted
from tsgap.errors import UsageError
from tsgap.experiment import REPLICATES, Experiment
from tsgap.footing import Footing, count_pairs, default_context
from tsgap.inputs import Data, Inputs, NotDrawn
from tsgap.panel import Panel
from tsgap.plugins import Chosen, choose_generator
from tsgap.replicates import Compared, Drawing, seed_of
from tsgap.splits import Split

#: Name of the view of inner origins.
VIEW = "inner"
#: Draws of a simple augmentation on inner origins, which only choose its share.
CHEAP_DRAWS = 3


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm of one replicate: a blend of the training sets, and the windows that it forecasts, None for the test."""

    arm: str
    share: float
    replicate: int
    blend: Blend
    real: TrainingSet
    others: TrainingSet | None
    split: Split | None
    seed: int


@dataclass(frozen=True, eq=False)
class Subject:
    """What is added to the real series of a data set, and on what footing.

    `source` "" is nothing: the real series alone. `cheap`: made from the real series by a simple rule, as what a
    generator has to beat. `why` is not empty where nothing can be measured. `inner_why` likewise for inner origins, and
    `saw_inner`: the synthetic series may be made from them. `pairs` and `other_pairs` are those of the real training
    part and of the (first) synthetic panel.
    """

    source: str
    cheap: bool = False
    why: str = ""
    inner_why: str = ""
    saw_inner: bool = False
    footing: Footing | None = None
    pairs: int = 0
    other_pairs: int = 0
    draws: tuple[int, ...] = ()
    stochastic: bool = False
    fixed: bool = False
    generator_saw: str = ""
    test: tuple[_Training, ...] = field(default=(), repr=False)
    inner: tuple[_Training, ...] = field(default=(), repr=False)

    @property
    def told(self) -> dict[str, Any]:
        """What a run keeps of it; `context` is how far a forecaster looks back, 0 where nothing can be measured."""
        names = ("source", "cheap", "why", "inner_why", "saw_inner", "pairs", "other_pairs", "fixed")
        context = 0 if self.footing is None else self.footing.context
        return {name: getattr(self, name) for name in names} | {"context": context}


@dataclass(frozen=True, eq=False)
class _Training:
    """The training sets of one replicate for one set of windows, None for those of the test."""

    real: TrainingSet
    others: TrainingSet | None
    split: Split | None


def subjects(
    data: Data, compared: Sequence[Compared], inputs: Inputs, experiment: Experiment, draw: Drawing
) -> Iterator[Subject]:
    """The real series alone, or every source and every cheap augmentation of a data set."""
    rules = Rules(data.horizons, experiment.context, experiment.scaling, experiment.match)
    if not compared and not experiment.cheap:
        alone = Subject("", draws=tuple(range(_times(experiment))))
        yield _subject(data, rules, alone, [None] * len(alone.draws), None)
        return
    inner = data.inner
    chosen = {name: inputs.generators.get((data.name, name)) for name in (one.source.name for one in compared)}
    # a source may be the same, under its own name
    cheap = {f"{CHEAP}{text}": choose_generator(text) for text in (cheap_of(data) if experiment.cheap else ())}
    wanted: dict[str, list[Wanted]] = {}
    for name, generator in [*chosen.items(), *cheap.items()]:
        if generator is None:
            continue
        times = 1 if generator.spec.deterministic else _times(experiment)
        seeds = [seed_of(experiment.seed, data.name, generator.address, k) for k in range(times)]
        for stage, train in (("test", data.train), ("inner", None if isinstance(inner, str) else inner.train)):
            if train is not None and (stage == "inner" or name in cheap):
                few = CHEAP_DRAWS if stage == "inner" and name in cheap else len(seeds)
                named = [Wanted(f"{stage} {name}/{k}", generator, train, seed) for k, seed in enumerate(seeds[:few])]
                wanted[f"{stage} {name}"] = named
    drawn = draw([one for every in wanted.values() for one in every])

    def panels(stage: str, name: str) -> list[Panel | NotDrawn]:
        return [drawn[one.name] for one in wanted.get(f"{stage} {name}", ())]

    for one in compared:
        name, source = one.source.name, one.source
        draws = tuple(replicate.draw for replicate in one.replicates)
        given = [replicate.synthetic for replicate in one.replicates]
        again = panels("inner", name) if chosen[name] is not None else list(source.replicates)
        subject = Subject(
            name,
            saw_inner=chosen[name] is None,
            draws=draws,
            stochastic=source.stochastic,
            fixed=source.fixed,
            generator_saw=source.generator_saw,
        )
        yield _subject(
            data, rules, subject, given, [again[k % len(again)] for k in draws] if again else None, source.windows
        )
    for name, generator in cheap.items():
        draws = tuple(range(_times(experiment)))
        given, again = (panels(stage, name) for stage in ("test", "inner"))
        if any(isinstance(panel, NotDrawn) for panel in (*given, *again)):
            # not everything cheap can be made of every series: it is left out, and said
            first = next(panel for panel in (*given, *again) if isinstance(panel, NotDrawn))
            yield Subject(name, cheap=True, why=first.reason)
            continue
        subject = Subject(
            name,
            cheap=True,
            draws=draws,
            stochastic=not generator.spec.deterministic,
            generator_saw="the training part",
        )
        yield _subject(
            data,
            rules,
            subject,
            [given[k % len(given)] for k in draws],
            [again[k % len(again)] for k in draws] if again else None,
        )


def cheap_of(data: Data) -> tuple[str, ...]:
    """Generators that need nothing but the real series: what another one has to beat."""
    season = data.train.season
    length = max(2 * season, 8)
    fits = int(data.train.lengths.min()) > 2 * length
    blocks = (f"block-bootstrap:length={length}",) if fits else ()
    return ("jitter:sd=0.1", *blocks, "stl-bootstrap", *(("mixing",) if len(data.train) > 1 else ()))


def _times(experiment: Experiment) -> int:
    return experiment.replicates or REPLICATES


def _subject(
    data: Data,
    rules: Rules,
    subject: Subject,
    given: Sequence[Panel | NotDrawn | None],
    again: Sequence[Panel | NotDrawn] | None,
    windows: int | None = None,
) -> Subject:
    """A subject with its training sets, or with the reason why there are none."""
    if failed := _failed(given):
        return replace(subject, why=f"no synthetic series: {failed.reason}")
    each = [panel for panel in given if not isinstance(panel, NotDrawn)]
    panels = [panel for panel in each if panel is not None]
    inner = data.inner
    footing = _footing(data, panels, rules, windows)
    if isinstance(footing, str):
        return replace(subject, why=footing)
    try:
        test = tuple(_training(data, data.train, panel, footing, None) for panel in each)
    except UsageError as err:
        return replace(subject, why=str(err))
    told: dict[str, Any] = {"footing": footing, "pairs": test[0].real.pairs}
    told["other_pairs"] = 0 if test[0].others is None else test[0].others.pairs
    if not test[0].real.pairs:
        return replace(subject, why="the real series hold no pair of a context and its leads", **told)
    if panels and not told["other_pairs"]:
        return replace(subject, why=f"no synthetic series holds a context of {footing.context} and its leads", **told)
    if isinstance(inner, str):
        return replace(subject, test=test, inner_why=inner, **told)
    if panels and again is None:
        return replace(subject, test=test, inner_why="its inner panels could not be drawn", **told)
    if failed := _failed(again or ()):
        why = f"no synthetic series from what lies before the inner origins: {failed.reason}"
        return replace(subject, test=test, inner_why=why, **told)
    if again is not None:
        each = [panel for panel in again if not isinstance(panel, NotDrawn)]
    try:
        near = tuple(_training(data, inner.train, panel, footing, inner) for panel in each)
    except UsageError as err:
        return replace(subject, test=test, inner_why=f"before the inner origins: {err}", **told)
    if not near[0].real.pairs or any(one.others is not None and not one.others.pairs for one in near):
        why = f"what lies before the inner origins holds no context of {footing.context} with {footing.leads} leads"
        return replace(subject, test=test, inner_why=why, **told)
    return replace(subject, test=test, inner=near, **told)


def _failed(panels: Sequence[Panel | NotDrawn | None]) -> NotDrawn | None:
    return next((panel for panel in panels if isinstance(panel, NotDrawn)), None)


def _footing(data: Data, panels: Sequence[Panel], rules: Rules, windows: int | None) -> Footing | str:
    """Scaling, context and leads of all arms, or why there are none that serve."""
    horizon, inner = max(rules.horizons), data.inner
    scaling = rules.scaling or ("mean-abs" if windows is None else "standard")
    trains = [data.train, *([] if isinstance(inner, str) else [inner.train])]
    context = rules.context or min(default_context(train.seasons, horizon, train.lengths) for train in trains)
    longest = min((int(panel.lengths.max(initial=0)) for panel in panels), default=None)
    if longest is not None and longest < context + horizon and rules.context is None:
        # the same for every arm, or the one with more to look back on would be another learner
        context = longest - horizon
    if context < 1 or (longest is not None and longest < context + horizon):
        return (
            f"synthetic series of {longest} values hold no context with {horizon} leads after it; ask for a shorter "
            f"horizon{'' if rules.context is None else ' or context'}"
        )
    leads = min(horizon, int(data.train.lengths.max()) - context)
    if leads < 1:
        return f"a context of {context} leaves the real series nothing to learn; ask for a shorter one"
    return Footing(scaling, context, False, leads)


def _training(data: Data, real: Panel, synthetic: Panel | None, footing: Footing, split: Split | None) -> _Training:
    # those of inner arms know nothing of what follows
    figures = train_figures(real) if footing.scaling == "train" else None

    def training(name: str, panel: Panel) -> TrainingSet:
        pairs = int(count_pairs(panel.lengths, footing.context, footing.leads).sum())
        rows = None if figures is None else figures_of(panel.keys, figures)
        return TrainingSet(name, panel, footing, pairs, pairs, rows)

    if synthetic is None:
        return _Training(training(REAL, real), None, split)
    others = replace(synthetic, series=synthetic.keys, freq=real.freq, seasons=real.seasons, groups={}, weights=None)
    if pairing(data.train.keys, synthetic.keys).paired:
        others = others.take(_twins_first(real.keys, synthetic.keys))
    else:
        others = relabelled(others, data.train.keys)
    return _Training(training(REAL, real), training(SYNTHETIC, others), split)


def _twins_first(real: Sequence[str], synthetic: Sequence[str]) -> list[int]:
    """Row numbers of the synthetic series, twins at the places of their real series; the others fill up what is left.

    >>> _twins_first(["a", "b", "c"], ["x", "c", "a"])
    [2, 0, 1]
    """
    at = {key: i for i, key in enumerate(synthetic)}
    places = [at.pop(key, None) for key in real]
    rest = iter(at.values())
    filled = [next(rest, None) if place is None else place for place in places]
    return [place for place in filled if place is not None] + list(rest)


def arms(subject: Subject, chosen: Chosen, data: Data, experiment: Experiment) -> Iterator[Arm]:
    """Every arm of a subject for one forecaster; none where nothing can be measured.

    Inner origins have fewer real pairs before them. As many synthetic ones are added there as on the test: where they
    are best, in number, does not depend on how many real pairs there are, as long as these differ by variance alone.
    """
    if subject.why:
        return

    weighted = adds_moments(chosen.spec, experiment.quantiles)

    def seed(k: int) -> int:
        return seed_of(experiment.seed, data.name, chosen.address, k)

    def blended(k: int, prefix: str, training: _Training, *, every: bool) -> Iterator[Arm]:
        drawing = 0 if weighted else seed_of(experiment.seed, data.name, "blend", k)
        alone, both = replace(training, others=None), training
        times = subject.pairs / training.real.pairs

        def one(arm: str, share: float, of: _Training, **blend: Any) -> Arm:
            return Arm(prefix + arm, share, k, Blend(seed=drawing, **blend), of.real, of.others, of.split, seed(k))

        yield replace(one(REAL, 0.0, alone), blend=Blend())
        if training.others is None:
            return
        if every:
            yield replace(one(SYNTHETIC, 0.0, both), blend=Blend(real=False, synthetic=1.0))
        for share in SHARES:
            yield one(AUGMENTED, share, both, synthetic=share * times)
            if every:
                yield one(DUPLICATED, share, alone, duplicated=share * times)
                if not subject.cheap:
                    yield one(REWEIGHTED, share, both, reweighted=share * times)

    for k, training in enumerate(subject.test):
        yield from blended(k, "", training, every=True)
    for k, training in enumerate(subject.inner):
        yield from blended(k, INNER, training, every=bool(experiment.event) and not subject.cheap)
    if not subject.cheap:
        yield from _fractions(subject, experiment, seed)


def _fractions(subject: Subject, experiment: Experiment, seed: Callable[[int], int]) -> Iterator[Arm]:
    """Sub-samples of the real series, each slice in about as many as any other: every other one is what is left.

    Every second pair of them is of periods, where series are long enough: more series of the same times say less than
    more times, if shocks are common to them.
    """
    real = subject.test[0].real
    panel, asked = real.panel, {"context": real.footing.context, "leads": real.footing.leads, "groups": SLICES}
    kinds = []
    for periods in (False, True):
        of = Grouping.of(panel.lengths, panel.series, in_time=True if periods else None, **asked)
        # slices of which some are missing are not equal parts; a row that is not cut is whole in one of them
        cut = not periods or np.bincount(of.row, minlength=len(panel)).min() == SLICES
        if cut and len(np.unique(of.group)) == SLICES:
            kinds.append(periods)
    for repeat in range(REPEATS if kinds else 0):
        order = np.random.default_rng(seed_of(seed(0), "fraction", repeat // 2)).permutation(SLICES)
        order = order[::-1] if repeat % 2 else order
        blend = Blend(periods=kinds[repeat // 2 % len(kinds)])
        for share in FRACTIONS:
            slices = tuple(sorted(order[: round(share * SLICES)].tolist()))
            yield Arm(FRACTION, share, repeat, replace(blend, slices=slices), real, None, None, seed(repeat))


def refused(chosen: Chosen) -> str:
    """Why a forecaster takes no part; "" where it does."""
    if chosen.spec.transfer == "none":
        return "it learns nothing, so nothing can be added"
    if chosen.spec.scope == "local":
        return "a local forecaster learns each series by itself: a series more teaches it nothing about the others"
    return ""
