"""What a sweep is asked to do: one frozen value, whether it came from arguments, a command line or a TOML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from tsgap.arms import SCALINGS
from tsgap.diagnostics.rules import parsed
from tsgap.errors import UnknownNameError, UsageError
from tsgap.events import Event
from tsgap.halves import ORACLE
from tsgap.plugins import choose_generator
from tsgap.protocols import GeneratorSpec
from tsgap.readers.options import ReadOptions

#: Forecasters of a sweep that names none: one without parameters, one that sees a single lag, one linear, one not.
DEFAULT_FORECASTERS = ("seasonal-naive", "lag-probe", "linear", "gradient-boosting")
#: Draws of a generator, and model seeds for a source of one file, where nothing else is asked for.
REPLICATES = 5
#: Always scored on the real arm: what skill is measured against.
BASELINE = "seasonal-naive"


#: Horizons as a user may write them.
Horizons = list[int | str] | str | int


@dataclass(frozen=True)
class SourceSpec:
    """Where synthetic series come from.

    `what` is ``"gen:NAME[:key=value,…]"``, a generator (spec, class or object), a file, a folder or pattern of
    replicates, a frame, an array of windows (N, L) or (N, L, C), or a list of frames (replicates). `data` binds it to
    one data set; "" is every data set, which only a generator can serve where there are several.
    """

    name: str
    what: Any
    data: str = ""
    inverse: Literal["minmax", "zscore"] | None = None
    channels: tuple[str, ...] = ()

    @property
    def generator(self) -> Any:
        """The generator, a name with parameters or an object; None for data handed over."""
        if isinstance(self.what, str):
            return self.what[4:] if self.what.startswith("gen:") else None
        return self.what if _is_generator(self.what) else None


@dataclass(frozen=True)
class DataSpec:
    """A real data set and how it is split; None takes the default of its card or frequency."""

    name: str
    what: Any
    options: ReadOptions = field(default_factory=ReadOptions)
    horizons: tuple[int | str, ...] = ()
    windows: int | None = None
    step: int | None = None
    first_cutoff: str | int | None = None


@dataclass(frozen=True)
class Experiment:
    """Data sets, sources and forecasters of one sweep, and what all of them share.

    `replicates` draws of every stochastic source, each with a model seed of its own; None: as many as a source has
    files, `REPLICATES` where it has one or is a generator. `scaling` None: 'standard' for
    arrays of windows, else 'mean-abs'. `context` None: by season, horizon and length. `match` puts the arms at the
    same number of training pairs. `null` adds the arm trained on shuffled real series. `generator_cutoff` declares
    up to when the makers of the synthetic data saw real data. `quantiles` are the levels, in (0, 1), whose quantiles
    are asked from forecasters beside the mean. `oracle_split` adds the noise floor: one half of the real training part
    in place of a source, the other half as its control. `validation` adds what shows how far validating on the
    synthetic series can be trusted. `augment`: ``"also"`` adds what shows when adding synthetic series to the real ones
    helps, ``"only"`` computes nothing else; without a source that is what the real series say by themselves. `cheap`
    puts simple augmentations of the real series beside the sources, `event` is what rare events are, as
    `tsgap.events.Event` reads it; both say something with `augment` alone. `diagnose` compares the synthetic series
    themselves with the real ones, `rules` (such as ``"y >= 0"``) are the user's own for what is plausible, `features`
    (``"module:function"``, or a function of windows (N, L) and a season length) stands in for the features of windows,
    `outsiders` are real series of the same period that the makers of the synthetic files never saw (``{data}`` is the
    name of the data set); all three say something with `diagnose` alone. `stress` adds forecasts from perturbed
    histories.
    """

    data: tuple[DataSpec, ...]
    sources: tuple[SourceSpec, ...]
    forecasters: tuple[Any, ...] = DEFAULT_FORECASTERS
    replicates: int | None = None
    seed: int = 0
    scaling: str | None = None
    context: int | None = None
    match: bool = True
    null: bool = True
    generator_cutoff: str | None = None
    quantiles: tuple[float, ...] = ()
    oracle_split: bool = False
    validation: bool = False
    augment: Literal["", "also", "only"] = ""
    cheap: bool = False
    event: str = ""
    diagnose: bool = False
    rules: tuple[str, ...] = ()
    features: Any = None
    outsiders: Any = None
    stress: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantiles", levels_of(self.quantiles))
        if not self.data:
            raise UsageError("a sweep needs at least one real data set (--real FILE, or real=…)")
        if self.augment not in ("", "also", "only"):
            raise UsageError(f"augment is 'also', 'only' or '', got {self.augment!r}")
        for name, given in (("cheap", self.cheap), ("event", self.event)):
            if given and not self.augment:
                raise UsageError(f"{name} is for augmentation: ask for that too (--augment, or augment='also')")
        object.__setattr__(self, "rules", (self.rules,) if isinstance(self.rules, str) else tuple(self.rules))
        parsed(self.rules)
        asked = {"rules": self.rules or None, "features": self.features, "outsiders": self.outsiders}
        for name, said in asked.items():
            if said is not None and not self.diagnose:
                raise UsageError(f"{name} are for diagnostics: ask for these too (--diagnose, or diagnose=True)")
        for name in ("oracle_split", "validation", "diagnose", "stress"):
            if getattr(self, name) and self.augment == "only":
                raise UsageError(f"{name} is not for augmentation alone: leave it out, or ask for augment='also'")
        if self.event:
            Event.parse(self.event)
        if not self.sources and not self.oracle_split and self.augment != "only":
            raise UsageError("a sweep needs at least one synthetic source (--synthetic FILE or gen:NAME)")
        if not self.forecasters:
            raise UsageError("a sweep needs at least one forecaster; the list is empty")
        _unique("data set", [d.name for d in self.data])
        _unique("source", [(s.name, d) for s in self.sources for d in ([s.data] if s.data else self.names)])
        if self.scaling is not None and self.scaling not in SCALINGS:
            raise UnknownNameError.of("scaling", self.scaling, SCALINGS)
        for name, least in (("replicates", 1), ("context", 1), ("seed", 0)):
            value = whole(name, getattr(self, name))
            if (value is None and name == "seed") or (value is not None and value < least):
                raise UsageError(f"{name} must be a whole number from {least} on, got {value}")
            object.__setattr__(self, name, value)
        if any(s.name == ORACLE for s in self.sources):
            raise UsageError(
                f"no source may be called {ORACLE!r}: it is the name of the noise floor; name it otherwise"
            )
        for source in self.sources:
            if source.data and source.data not in self.names:
                raise UnknownNameError.of("data set", source.data, self.names)
            if len(self.data) > 1 and not source.data and source.generator is None and "{data}" not in str(source.what):
                raise UsageError(
                    f"source {source.name!r} is one file for {len(self.data)} data sets: bind it to one "
                    f"(--synthetic {self.data[0].name}/{source.name}=FILE) or give a pattern with {{data}}"
                )

        for one in self.data:
            if self.sources and not self.sources_of(one.name) and not self.oracle_split:
                raise UsageError(
                    f"data set {one.name!r} has no synthetic source: give it one (--synthetic {one.name}/NAME=FILE, or "
                    "a generator, which serves every data set) or leave it out"
                )
        for key in ("inverse", "channels"):
            if any(getattr(s, key) for s in self.sources) and all(s.generator is not None for s in self.sources):
                raise UsageError(f"{key} is for synthetic data from files or arrays, and every source is a generator")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return tuple(d.name for d in self.data)

    def sources_of(self, data: str) -> tuple[SourceSpec, ...]:
        """The sources that serve one data set, `{data}` filled in."""
        out = []
        for source in self.sources:
            if source.data in ("", data):
                what = source.what
                if isinstance(what, str) and "{data}" in what:
                    what = what.replace("{data}", data)
                out.append(replace(source, what=what, data=data))
        return tuple(out)


#: Names of the settings that all data sets, sources and forecasters of an experiment share.
SHARED = tuple(f.name for f in fields(Experiment) if f.name not in ("data", "sources", "forecasters"))


def _is_generator(what: Any) -> bool:
    return isinstance(what, GeneratorSpec) or (
        hasattr(what, "fit") and hasattr(what, "sample") and not hasattr(what, "columns")
    )


def _unique(kind: str, names: Sequence[Any]) -> None:
    seen: set[Any] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"two {kind}s are called {name!r}; name them: NAME=FILE")
        seen.add(name)


_NAMED = re.compile(r"^(?:([A-Za-z0-9_.-]+)/)?([A-Za-z0-9_.-]+)=(.+)$", re.DOTALL)


def named(text: str) -> tuple[str, str, str]:
    """Data set, name and the rest of ``[[DATA/]NAME=]WHAT``; "" where they are not given.

    Raises `UsageError` where what stands before ``=`` is no name, and nothing is called so as a whole.

    >>> named("nn5/gan=out.npz"), named("gen:block-bootstrap:length=24")
    (('nn5', 'gan', 'out.npz'), ('', '', 'gen:block-bootstrap:length=24'))
    """
    if text.startswith(("gen:", "card:")):
        return "", "", text
    if found := _NAMED.match(text):
        return found[1] or "", found[2], found[3]
    name, named, _ = text.partition("=")
    if named and not set(name) & set("/\\") and not Path(text).exists():
        raise UsageError(f"{text!r}: a name has letters, digits, '.', '_' and '-', got {name!r} before '='")
    return "", "", text


def label_of(what: Any, default: str) -> str:
    """A name for what was given without one: the generator with its parameters, the card, or the file's stem."""
    if _is_generator(what):
        return choose_generator(what).label
    if not isinstance(what, (str, Path)):
        return default
    text = str(what)
    if text.startswith("gen:"):
        return text[4:]
    if text.startswith("card:"):
        return text[5:]
    stem = Path(text.rstrip("/")).stem
    if "{" in stem:
        parts = [p for p in Path(text).parts[:-1] if "{" not in p and p not in ("/", ".")]
        return parts[-1] if parts else default
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem) or default


def whole(name: str, value: Any) -> int | None:
    """A setting that counts something, as an int; None stays None. Raises `UsageError` for anything else.

    >>> whole("windows", None), whole("windows", 3)
    (None, 3)
    """
    if value is None:
        return None
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise UsageError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def levels_of(quantiles: str | float | Iterable[float] | None) -> tuple[float, ...]:
    """Quantile levels as a tuple that rises, whichever way they were written; `UsageError` outside of (0, 1).

    >>> levels_of("0.9,0.5"), levels_of(0.5), levels_of(())
    ((0.5, 0.9), (0.5,), ())
    """
    if isinstance(quantiles, str):
        given: Iterable[Any] = [part for part in quantiles.split(",") if part.strip()]
    elif quantiles is None or isinstance(quantiles, Iterable):
        given = () if quantiles is None else quantiles
    else:
        given = [quantiles]
    try:
        levels = tuple(sorted(float(level) for level in given))
    except (TypeError, ValueError):
        raise UsageError(f"quantile levels are numbers between 0 and 1, got {quantiles!r}") from None
    bad = [level for level in levels if not 0 < level < 1]
    if bad or len(set(levels)) < len(levels):
        told = f"got {bad[0]:g}" if bad else f"{levels} has one twice"
        raise UsageError(f"quantile levels are different numbers between 0 and 1, {told}")
    return levels


def listed(horizons: Horizons | Sequence[int | str] | None) -> tuple[int | str, ...]:
    """Horizons as a tuple, whichever way they were written.

    >>> listed("1,6,2m"), listed(12), listed(None)
    (('1', '6', '2m'), (12,), ())
    """
    if horizons is None:
        return ()
    if isinstance(horizons, str):
        return tuple(h.strip() for h in horizons.split(",") if h.strip())
    if isinstance(horizons, (int, Integral)):
        return (int(horizons),)
    return tuple(int(h) if isinstance(h, Integral) else h for h in horizons)


def data_specs(
    real: Any,
    *,
    options: ReadOptions | None = None,
    horizons: Horizons | Sequence[int | str] | None = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
) -> tuple[DataSpec, ...]:
    """Data sets from what a user gives: one thing, ``NAME=FILE`` text, a list of such texts, or a mapping by name."""
    split: dict[str, Any] = {"horizons": listed(horizons), "first_cutoff": first_cutoff}
    split |= {"windows": whole("windows", windows), "step": whole("step", step)}
    specs: list[DataSpec] = []
    for name, what in _items(real, "data"):
        _, given, rest = named(what) if isinstance(what, str) else ("", "", what)
        own = getattr(what, "name", None) if hasattr(what, "starts") else None
        label = name or given or own or label_of(rest, "data")
        specs.append(DataSpec(label, rest, options or ReadOptions(), **split))
    return tuple(specs)


def data_spec(real: Any, **settings: Any) -> DataSpec:
    """The one data set that a user gives; `UsageError` where there are several."""
    specs = data_specs(real, **settings)
    if len(specs) != 1:
        raise UsageError(f"one real data set is needed, got {len(specs)}: {', '.join(s.name for s in specs)}")
    return specs[0]


def source_specs(synthetic: Any, **settings: Any) -> tuple[SourceSpec, ...]:
    """Sources from what a user gives: one thing, ``[DATA/]NAME=WHAT`` text, a list of texts, or a mapping by name."""
    specs: list[SourceSpec] = []
    for name, what in _items(synthetic, "synthetic"):
        data, given, rest = named(what) if isinstance(what, str) else ("", "", what)
        if "/" in name:
            data, _, name = name.partition("/")
        specs.append(SourceSpec(name or given or label_of(rest, "synthetic"), rest, data, **settings))
    return tuple(specs)


def _items(what: Any, kind: str) -> Iterable[tuple[str, Any]]:
    if isinstance(what, Mapping):
        return [(str(k), v) for k, v in what.items()]
    if isinstance(what, (list, tuple)) and what and all(isinstance(w, (str, Path)) for w in what):
        return [("", str(w)) for w in what]
    if isinstance(what, (list, tuple)) and not len(what):
        raise UsageError(f"{kind}: the list is empty")
    return [("", str(what) if isinstance(what, Path) else what)]
