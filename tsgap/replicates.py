"""What is compared with what: the replicates of every source, each with its control and the shuffled control."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tsgap.arms import Rules
from tsgap.drawing import Wanted
from tsgap.errors import DataError
from tsgap.experiment import REPLICATES, Experiment
from tsgap.footing import default_context
from tsgap.halves import ORACLE, halves
from tsgap.inputs import Data, Inputs, NotDrawn, Source
from tsgap.panel import Panel
from tsgap.plugins import choose_generator

#: Draws synthetic panels, or says why not; given by the sweep, which owns the workers and the store.
Drawing = Callable[[Sequence[Wanted]], Mapping[str, "Panel | NotDrawn"]]


def seed_of(*parts: object) -> int:
    """A seed in [0, 2³¹) that depends on the parts alone, not on order, process or platform."""
    raw = hashlib.blake2b(json.dumps([str(p) for p in parts]).encode(), digest_size=4).digest()
    return int.from_bytes(raw, "little") >> 1


@dataclass(frozen=True, eq=False)
class Replicate:
    """The `number`-th replicate of a source, which holds its `draw`-th draw: the panel, its control, and that shuffled.

    `null` is None where no shuffled arm is asked for.
    """

    number: int
    draw: int
    synthetic: Panel | NotDrawn
    real: Panel
    null: Panel | None


@dataclass(frozen=True, eq=False)
class Compared:
    """A source with its replicates, and the rules by which its arms are put on an equal footing."""

    source: Source
    rules: Rules
    replicates: tuple[Replicate, ...]


def compared(data: Data, inputs: Inputs, experiment: Experiment, draw: Drawing) -> Iterator[Compared]:
    """Every source of a data set in the order they were given; the noise floor, if it is asked for, comes last.

    Nothing is shuffled for forecasters that learn nothing.
    """
    shuffled = experiment.null and any(one.spec.transfer != "none" for one in inputs.forecasters.values())
    rules = Rules(data.horizons, experiment.context, experiment.scaling, experiment.match)
    k = range(experiment.replicates or REPLICATES)
    seeds = [seed_of(experiment.seed, data.name, "null", i) for i in k]
    shuffles = _shuffles([data.train for _ in k], seeds, "null") if shuffled else []
    generated = _generated(data, inputs, experiment)
    drawn = draw([*shuffles, *(one for every in generated.values() for one in every)])
    nulls = _shuffled(data, shuffles, drawn) if shuffled else [None]
    for source in _sources(data, inputs, experiment, generated, drawn):
        draws = len(source.replicates)
        times = max(experiment.replicates or (REPLICATES if draws == 1 else draws), draws)
        if more := times % draws:
            told = (
                f"its {draws} replicates are used in turn for {times}; the first {more} count once more than the others"
            )
            source = replace(source, notes=(*source.notes, told))
        of = [
            Replicate(
                i, i if draws == 1 else i % draws, source.replicates[i % draws], data.train, nulls[i % len(nulls)]
            )
            for i in range(times)
        ]
        yield Compared(source, rules, tuple(of))
    if experiment.oracle_split:
        yield _oracle(data, rules, experiment, draw, shuffled=shuffled)


def _generated(data: Data, inputs: Inputs, experiment: Experiment) -> dict[str, list[Wanted]]:
    """What is to be drawn for each source that a generator makes."""
    wanted = {}
    for (name, source), chosen in inputs.generators.items():
        if name == data.name:
            times = 1 if chosen.spec.deterministic else experiment.replicates or REPLICATES
            seeds = [seed_of(experiment.seed, data.name, chosen.address, k) for k in range(times)]
            wanted[source] = [Wanted(f"source {source}/{k}", chosen, data.train, seed) for k, seed in enumerate(seeds)]
    return wanted


def _sources(
    data: Data,
    inputs: Inputs,
    experiment: Experiment,
    generated: Mapping[str, Sequence[Wanted]],
    drawn: Mapping[str, Panel | NotDrawn],
) -> list[Source]:
    """The sources of a data set, in the order they were given."""
    out = []
    for spec in experiment.sources_of(data.name):
        if spec.name in generated:
            panels = tuple(drawn[one.name] for one in generated[spec.name])
            chance = not inputs.generators[data.name, spec.name].spec.deterministic
            out.append(Source(spec.name, data.name, panels, None, stochastic=chance))
        else:
            out.append(inputs.handed[data.name, spec.name])
    return out


def _oracle(data: Data, rules: Rules, experiment: Experiment, draw: Drawing, *, shuffled: bool) -> Compared:
    """One half of the real training part against the other half, halved anew for each replicate."""
    seeds = [seed_of(experiment.seed, data.name, ORACLE, k) for k in range(experiment.replicates or REPLICATES)]
    pairs = [halves(data.train, seed=seed) for seed in seeds]
    controls = [pair.real for pair in pairs]
    nulls: Sequence[Panel | None] = [None] * len(pairs)
    if shuffled:
        shuffles = _shuffles(controls, seeds, f"{ORACLE} null")
        nulls = _shuffled(data, shuffles, draw(shuffles))
    first: dict[str, int] = {}
    draws = [first.setdefault(pair.synthetic.fingerprint, k) for k, pair in enumerate(pairs)]
    in_time = pairs[0].by == "time"
    if rules.context is None:
        # the same for all replicates, whichever series their halves got
        lengths = data.train.lengths // 2 if in_time else data.train.lengths
        rules = replace(rules, context=default_context(data.train.seasons, max(data.horizons), lengths))
    n = len(pairs[0].synthetic)
    told = (
        f"the noise floor, no source: one half of the time of each of {n} real series against the other half"
        if in_time
        else f"the noise floor, no source: {n} real series against {n} others"
    )
    saw = "no generator: half of the time of each real series" if in_time else "no generator: half of the real series"
    source = Source(ORACLE, data.name, tuple(p.synthetic for p in pairs), None, (told,), saw, stochastic=True)
    of = (Replicate(k, draws[k], pair.synthetic, pair.real, nulls[k]) for k, pair in enumerate(pairs))
    return Compared(source, rules, tuple(of))


def _shuffles(panels: Sequence[Panel], seeds: Sequence[int], name: str) -> list[Wanted]:
    """Each panel with its values shuffled in time, to be drawn."""
    shuffle = choose_generator("shuffle")
    return [Wanted(f"{name}/{k}", shuffle, *one) for k, one in enumerate(zip(panels, seeds, strict=True))]


def _shuffled(data: Data, wanted: Sequence[Wanted], drawn: Mapping[str, Panel | NotDrawn]) -> list[Panel]:
    """The shuffled panels; the shuffled arm is ours, and cannot fail like a source."""
    out: list[Panel] = []
    for one in wanted:
        panel = drawn[one.name]
        if isinstance(panel, NotDrawn):
            raise DataError(f"{data.name}: the shuffled arm could not be made: {panel.reason}")
        out.append(panel)
    return out
