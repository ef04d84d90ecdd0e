"""What the diagnostics say of one source: figures beside the noise floor, the worst samples, and what failed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import isnan, nan
from typing import Any

from tsgap.diagnostics import Contrast, Diagnosed, Figure, Sample
from tsgap.errors import ContractError, TsgapError
from tsgap.plugins import missing_requirements
from tsgap.protocols import DiagnosticSpec

#: Worst samples of a diagnostic that are kept.
WORST = 20


@dataclass(frozen=True)
class Found:
    """What one diagnostic found; `failed` is not empty where it did not run to its end, and says why."""

    diagnostic: str
    figures: tuple[Figure, ...] = ()
    worst: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    failed: str = ""
    seconds: float = nan
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examination:
    """What all diagnostics found of one source of a data set.

    `leaks` says what was found of the test among the synthetic series; that alone decides a verdict. `why` is not empty
    where nothing could be compared. `notes` say what was compared, and what was left out, `caution` what alone a proof
    is about, where it is not about series like these.
    """

    data: str
    source: str
    found: tuple[Found, ...] = ()
    leaks: tuple[str, ...] = ()
    why: str = ""
    notes: tuple[str, ...] = ()
    caution: str = ""

    @property
    def warnings(self) -> tuple[tuple[str, Figure], ...]:
        """The figures that are proven to differ, each with its diagnostic."""
        return tuple((one.diagnostic, figure) for one in self.found for figure in one.figures if figure.flag == "warn")

    @property
    def failed(self) -> tuple[Found, ...]:
        """The diagnostics that failed."""
        return tuple(one for one in self.found if one.failed)

    @property
    def ok(self) -> bool:
        """Whether everything ran; what was found plays no part."""
        return not self.why and not self.failed

    def figure(self, diagnostic: str, name: str) -> Figure | None:
        """One figure, None where there is none of that name."""
        for one in self.found:
            if one.diagnostic == diagnostic:
                return next((figure for figure in one.figures if figure.name == name), None)
        return None

    @property
    def told(self) -> dict[str, Any]:
        """As plain values, NaN as None; `of_told` reads it."""
        told: dict[str, Any] = _plain(asdict(self))
        return told

    @classmethod
    def of_told(cls, told: Mapping[str, Any]) -> Examination:
        """From what `told` gave."""
        found = tuple(
            Found(
                one["diagnostic"],
                tuple(_restored(Figure, figure) for figure in one["figures"]),
                tuple(_restored(Sample, sample) for sample in one["worst"]),
                tuple(one["notes"]),
                one["failed"],
                nan if one["seconds"] is None else one["seconds"],
                tuple(one.get("cautions", ())),
            )
            for one in told["found"]
        )
        return cls(
            told["data"],
            told["source"],
            found,
            tuple(told["leaks"]),
            told["why"],
            tuple(told["notes"]),
            told["caution"],
        )


def examined(contrast: Contrast, specs: Mapping[str, DiagnosticSpec], *, seed: int) -> tuple[Found, ...]:
    """Every diagnostic by its name, its figures beside those of the floor; one that fails takes no other with it."""
    return tuple(_found(contrast, name, spec, seed) for name, spec in specs.items())


def _found(contrast: Contrast, name: str, spec: DiagnosticSpec, seed: int) -> Found:
    begun = time.perf_counter()
    if missing := missing_requirements(spec):
        return Found(name, failed=f"it needs what is not installed: {'; '.join(missing)}", seconds=0.0)
    try:
        here = checked(spec.measure(contrast, seed=seed))
        floor = {figure.name: figure.value for figure in checked(spec.measure(contrast.floor, seed=seed)).figures}
    except MemoryError:
        raise
    except (Exception, SystemExit) as err:  # noqa: BLE001 - whatever a plugin raises is its result
        told = str(err) if isinstance(err, TsgapError) else f"{type(err).__name__}: {err}"
        return Found(name, failed=told[:1000] or type(err).__name__, seconds=time.perf_counter() - begun)
    figures = tuple(_beside(one, floor.get(one.name, nan)) for one in here.figures)
    worst = tuple(sorted(here.worst, key=lambda sample: -sample.score)[:WORST])
    seconds = time.perf_counter() - begun
    return Found(name, figures, worst, tuple(here.notes), seconds=seconds, cautions=tuple(here.cautions))


def _beside(figure: Figure, floor: float) -> Figure:
    """A figure beside that of the floor; no warning of what real series differ by as much, where it is one of size."""
    if isnan(figure.reference):
        figure = replace(figure, reference=floor)
    if figure.flag == "warn" and figure.beyond_floor and not figure.value > figure.reference:
        return replace(figure, flag="", advice="")
    return figure


def checked(found: Any) -> Diagnosed:
    """What a diagnostic returned; `ContractError` where it is not what was promised."""
    if not isinstance(found, Diagnosed):
        raise ContractError(f"measure must return a tsgap.Diagnosed, got {type(found).__name__}")
    for kind, ones, wanted in (("figures", found.figures, Figure), ("worst", found.worst, Sample)):
        for one in ones:
            if not isinstance(one, wanted):
                raise ContractError(f"{kind} of a tsgap.Diagnosed are tsgap.{wanted.__name__}s, got {one!r:.80}")
    names = [figure.name for figure in found.figures]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ContractError(f"two figures are called {twice!r}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if isnan(value) else value if abs(value) != float("inf") else str(value)
    return value


def _restored(kind: Any, told: Mapping[str, Any]) -> Any:
    numbers = {f.name for f in fields(kind) if f.type == "float"}
    given = {name: nan if value is None and name in numbers else value for name, value in told.items()}
    return kind(**{name: float(value) if name in numbers else value for name, value in given.items()})
