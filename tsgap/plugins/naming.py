"""Who may be called what: offers under their plain names, the host's before all others, and clashes told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tsgap.errors import PluginError, UnknownNameError
from tsgap.hookspecs import PROJECT
from tsgap.protocols import DatasetSpec, DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec

#: kind → (hook, class of its specs); a kind is also the name of an attribute of `Registry`.
KINDS: dict[str, tuple[str, type[Any]]] = {
    "forecasters": ("tsgap_forecasters", ForecasterSpec),
    "generators": ("tsgap_generators", GeneratorSpec),
    "metrics": ("tsgap_metrics", MetricSpec),
    "diagnostics": ("tsgap_diagnostics", DiagnosticSpec),
    "datasets": ("tsgap_datasets", DatasetSpec),
}

#: Distribution whose names nobody else can take.
HOST = PROJECT


def singular(kind: str) -> str:
    """One of a kind, in words: "forecaster", "data set"."""
    return "data set" if kind == "datasets" else kind.removesuffix("s")


@dataclass(frozen=True)
class Registered:
    """A spec and the distribution that offers it."""

    spec: Any
    distribution: str
    version: str

    @property
    def qualified(self) -> str:
        """The name that no other distribution can claim: ``distribution/name``."""
        return f"{self.distribution}/{self.spec.name}"


@dataclass(frozen=True)
class Broken:
    """A plugin, or a part of one, that did not load: entry point, distribution and cause in one line."""

    name: str
    distribution: str
    version: str
    cause: str
    traceback: str = ""


@dataclass(frozen=True)
class Clash:
    """A name that several distributions claim: `owner` has it, or nobody, and all are reached by qualified names."""

    kind: str
    name: str
    claims: tuple[Registered, ...]

    @property
    def owner(self) -> Registered | None:
        """The host's, if it is among them."""
        return next((claim for claim in self.claims if claim.distribution == HOST), None)

    @property
    def losers(self) -> tuple[Registered, ...]:
        """Those that go by their qualified names only."""
        return tuple(claim for claim in self.claims if claim is not self.owner)

    @property
    def cause(self) -> str:
        """Who claims whose name, and what to type, in one line."""
        others = " and ".join(claim.distribution for claim in self.losers)
        typed = " or ".join(claim.qualified for claim in self.losers)
        named = f"the {singular(self.kind)} {self.name!r}"
        if self.owner is None:
            return f"{named} is claimed by {others}; say which one you mean: {typed}"
        return f"{named} is {HOST}'s, and claimed by {others} too; type {self.name} for {HOST}'s, {typed} for the other"


@dataclass(frozen=True)
class Registry:
    """What plugins offer, by name, and what failed to load.

    A plain name that the host and others claim is the host's. One that other distributions claim belongs to none
    of them. Who has no plain name stands under its qualified name ``distribution/name``, and in `clashes`.
    """

    forecasters: Mapping[str, Registered] = field(default_factory=dict)
    generators: Mapping[str, Registered] = field(default_factory=dict)
    metrics: Mapping[str, Registered] = field(default_factory=dict)
    diagnostics: Mapping[str, Registered] = field(default_factory=dict)
    datasets: Mapping[str, Registered] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()
    clashes: tuple[Clash, ...] = ()

    @classmethod
    def of(cls, offers: Iterable[tuple[str, Registered]], broken: Iterable[Broken]) -> Registry:
        """Give every offer (kind, what is offered) its name."""
        claims: dict[tuple[str, str], list[Registered]] = {}
        for kind, offer in offers:
            claims.setdefault((kind, offer.spec.name), []).append(offer)
        clashes = [Clash(kind, name, tuple(claimed)) for (kind, name), claimed in claims.items() if len(claimed) > 1]
        nameless = {id(offer) for clash in clashes for offer in clash.losers}
        tables: dict[str, dict[str, Registered]] = {kind: {} for kind in KINDS}
        for (kind, name), claimed in claims.items():
            for offer in claimed:
                tables[kind][offer.qualified if id(offer) in nameless else name] = offer
        return cls(**tables, broken=tuple(broken), clashes=tuple(clashes))

    def named(self, kind: str, name: str) -> Registered:
        """What is registered under a plain or qualified name; `kind` is "forecasters", "metrics", ….

        Raises `PluginError` where two distributions claim the plain name, `UnknownNameError` where none does.
        """
        known: Mapping[str, Registered] = getattr(self, kind)
        if name in known:
            return known[name]
        for clash in self.clashes:
            if (clash.kind, clash.name) == (kind, name):
                raise PluginError(clash.cause)
        for registered in known.values():
            if registered.qualified == name:
                return registered
        others = [singular(other) for other in KINDS if other != kind and name in getattr(self, other)]
        notes = [f"It is the name of a {' and of a '.join(others)}."] if others else []
        raise UnknownNameError.of(singular(kind), name, known, note=" ".join(filter(None, [*notes, self.failures])))

    def label(self, kind: str, offer: Registered) -> str:
        """The shortest name that `named` finds an offer by: the plain one unless that is another's."""
        known: Mapping[str, Registered] = getattr(self, kind)
        name = offer.spec.name
        free = name not in known and all((clash.kind, clash.name) != (kind, name) for clash in self.clashes)
        mine = name in known and known[name].spec is offer.spec
        return str(name) if free or mine else offer.qualified

    @property
    def failures(self) -> str:
        """A sentence about plugins that failed to load, for a message about something that was not found; or none."""
        if not self.broken:
            return ""
        failed = ", ".join(dict.fromkeys(f"{b.distribution} ({b.cause})" for b in self.broken))
        return f"Plugins that failed to load: {failed}; `tsgap forecasters --broken` says more."
