"""Find plugins through their entry points, each on its own: one that fails is kept with its cause."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.metadata
import inspect
import io
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from tsgap import hookspecs
from tsgap.errors import PluginError, UnknownNameError
from tsgap.protocols import API, DatasetSpec, DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec

#: kind → (hook, class of its specs); a kind is also the name of an attribute of `Registry`.
KINDS: dict[str, tuple[str, type[Any]]] = {
    "forecasters": ("tsgap_forecasters", ForecasterSpec),
    "generators": ("tsgap_generators", GeneratorSpec),
    "metrics": ("tsgap_metrics", MetricSpec),
    "diagnostics": ("tsgap_diagnostics", DiagnosticSpec),
    "datasets": ("tsgap_datasets", DatasetSpec),
}

#: Distribution of what was registered in this process with `tsgap.register`.
HERE = "here"


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
class Registry:
    """What plugins offer, by name, and what failed to load.

    A name that two distributions claim stands under its qualified names ``distribution/name`` only, and in
    `duplicates`, which maps a kind ("forecasters", …) and a plain name to all who claim it.
    """

    forecasters: Mapping[str, Registered] = field(default_factory=dict)
    generators: Mapping[str, Registered] = field(default_factory=dict)
    metrics: Mapping[str, Registered] = field(default_factory=dict)
    diagnostics: Mapping[str, Registered] = field(default_factory=dict)
    datasets: Mapping[str, Registered] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()
    duplicates: Mapping[tuple[str, str], tuple[Registered, ...]] = field(default_factory=dict)

    def named(self, kind: str, name: str) -> Registered:
        """What is registered under a plain or qualified name.

        Raises `PluginError` where two distributions claim the plain name, `UnknownNameError` where none does.
        """
        known: Mapping[str, Registered] = getattr(self, kind)
        if name in known:
            return known[name]
        if (kind, name) in self.duplicates:
            claims = self.duplicates[kind, name]
            raise PluginError(
                f"{name!r} is claimed by {' and '.join(c.distribution for c in claims)}; "
                f"say which one you mean: {' or '.join(c.qualified for c in claims)}"
            )
        for registered in known.values():
            if registered.qualified == name:
                return registered
        note = ""
        if self.broken:
            failed = ", ".join(dict.fromkeys(f"{b.distribution} ({b.cause})" for b in self.broken))
            note = f"Plugins that failed to load: {failed}; `tsgap forecasters --broken` says more."
        singular = "data set" if kind == "datasets" else kind.removesuffix("s")
        raise UnknownNameError.of(singular, name, known, note=note)


def registry(*, reload: bool = False) -> Registry:
    """What the plugins of this environment and of this process offer; they are loaded once.

    `reload` looks again, for a plugin that was installed while the process runs.
    """
    global _loaded, _loading
    with _lock:
        if _loading:
            raise PluginError("plugins are still being loaded; a plugin offers by its hooks, and asks for none itself")
        if _loaded is None or reload:
            importlib.invalidate_caches()
            _loading = True
            try:
                _loaded = _load_entry_points()
            finally:
                _loading = False
        offers, broken = _loaded
        return _named([*offers, *_here.values()], broken)


def register(obj: Any) -> tuple[Registered, ...]:
    """Offer something in this process, without a package: what was registered comes back.

    `obj` is a spec, a forecaster (class, factory or instance), or a module or object with hook implementations.
    A class takes its name in kebab case. Registering a name again replaces what was registered before, as happens
    when a notebook's cell is run twice; a name that an installed plugin has raises `PluginError`.

    >>> from tsgap import ForecasterSpec
    >>> import tsgap
    >>> found = tsgap.register(ForecasterSpec("mine", "A forecaster of my own.", build=dict))
    >>> found[0].qualified
    'here/mine'
    """
    installed = registry()
    new = _offers_of(obj)
    for kind, offer in new:
        known: Mapping[str, Registered] = getattr(installed, kind)
        other = known.get(offer.spec.name)
        if (kind, offer.spec.name) in installed.duplicates or (other and other.distribution != HERE):
            who = other.distribution if other else "two plugins"
            raise PluginError(f"{offer.spec.name!r} cannot be registered, {who} has that name; choose another one")
    with _lock:
        for kind, offer in new:
            _here[kind, offer.spec.name] = (kind, offer)
    return tuple(offer for _, offer in new)


def metrics() -> Mapping[str, Registered]:
    """The metrics there are, by name."""
    return registry().metrics


_Offer = tuple[str, Registered]
_lock = threading.RLock()
_loaded: tuple[list[_Offer], list[Broken]] | None = None
_loading = False
_here: dict[tuple[str, str], _Offer] = {}


def _named(offers: list[_Offer], broken: list[Broken]) -> Registry:
    claims: dict[tuple[str, str], list[Registered]] = {}
    for kind, offer in offers:
        claims.setdefault((kind, offer.spec.name), []).append(offer)
    tables: dict[str, dict[str, Registered]] = {kind: {} for kind in KINDS}
    for (kind, name), claimed in claims.items():
        for offer in claimed:
            tables[kind][name if len(claimed) == 1 else offer.qualified] = offer
    twice = {key: tuple(claimed) for key, claimed in claims.items() if len(claimed) > 1}
    return Registry(**tables, broken=tuple(broken), duplicates=twice)


def _offers_of(obj: Any) -> list[_Offer]:
    for kind, (_, spec_class) in KINDS.items():
        if isinstance(obj, spec_class):
            return [(kind, Registered(obj, HERE, ""))]
    manager = _manager()
    if any(manager.parse_hookimpl_opts(obj, name) for name in dir(obj)):
        offers, broken = _load(manager, obj, "register", HERE, "")
        if broken:
            raise PluginError(f"cannot register {obj!r}: {broken[0].cause}")
        return offers
    from tsgap.plugins.choosing import spec_of_object

    return [("forecasters", Registered(spec_of_object("forecaster", obj), HERE, ""))]


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _load_entry_points() -> tuple[list[_Offer], list[Broken]]:
    manager = _manager()
    offers: list[_Offer] = []
    broken: list[Broken] = []
    for point, name, version in _entry_points():
        try:
            with prints_to_stderr():
                plugin = point.load()
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin's fault is kept, whatever it is
            broken.append(_broken(point.name, name, version, f"cannot be imported: {_one_line(err)}", err))
            continue
        found, failed = _load(manager, plugin, point.name, name, version)
        offers += found
        broken += failed
    return offers, broken


def _entry_points() -> list[tuple[importlib.metadata.EntryPoint, str, str]]:
    """Entry points with distribution and version, the host's first, each one once."""
    points: dict[tuple[str, str, str], tuple[importlib.metadata.EntryPoint, str, str]] = {}
    for point in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        name, version = "unknown", ""
        if point.dist is not None:
            with contextlib.suppress(Exception):
                name, version = point.dist.name or "unknown", point.dist.version or ""
        points.setdefault((name, point.name, point.value), (point, name, version))
    return [points[key] for key in sorted(points, key=lambda key: (key[0] != hookspecs.PROJECT, key))]


def _load(
    manager: pluggy.PluginManager, plugin: Any, entry: str, distribution: str, version: str
) -> tuple[list[_Offer], list[Broken]]:
    """Register one plugin and call each of its hooks on its own."""
    try:
        with prints_to_stderr():
            _check(plugin)
            manager.register(plugin, name=f"{distribution}/{entry}")
            manager.check_pending()
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin's fault is kept, whatever it is
        if manager.is_registered(plugin) and manager.get_name(plugin) == f"{distribution}/{entry}":
            manager.unregister(plugin)
        return [], [_broken(entry, distribution, version, _cause(err), err)]
    offers: list[_Offer] = []
    broken: list[Broken] = []
    names: set[tuple[str, str]] = set()
    for kind, (hook, spec_class) in KINDS.items():
        for impl in getattr(manager.hook, hook).get_hookimpls():
            if impl.plugin is not plugin:
                continue
            try:
                with prints_to_stderr():
                    for spec in impl.function():
                        _check_spec(hook, spec, spec_class, (kind, getattr(spec, "name", "")) in names)
                        names.add((kind, spec.name))
                        offers.append((kind, Registered(spec, distribution, version)))
            except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin's fault is kept, whatever it is
                cause = str(err) if isinstance(err, PluginError) else f"{hook} failed: {_one_line(err)}"
                broken.append(_broken(entry, distribution, version, cause, err))
    return offers, broken


def _check(plugin: Any) -> None:
    """Refuse what pluggy would take in silence: another API, unmarked hooks, wrappers, nothing at all."""
    api = getattr(plugin, "TSGAP_API", API)
    if api != API:
        raise PluginError(f"is written for TSGAP_API {api!r}, this tsgap has {API}; install versions that go together")
    hooks = {hook for hook, _ in KINDS.values()}
    marker = f"{hookspecs.PROJECT}_impl"
    marked = 0
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        if not inspect.isroutine(function):
            continue
        options = getattr(function, marker, None)
        if name in hooks and options is None:
            raise PluginError(f"{name} is not marked as a hook; put @tsgap.hookimpl above it")
        if isinstance(options, dict):
            marked += 1
            if options.get("hookwrapper") or options.get("wrapper"):
                raise PluginError(f"{name} is a wrapper; a hook yields specs and wraps nothing")
    if not marked:
        raise PluginError(f"has no hook; mark one of {', '.join(sorted(hooks))} with @tsgap.hookimpl")


def _check_spec(hook: str, spec: Any, spec_class: type[Any], again: bool) -> None:
    if not isinstance(spec, spec_class):
        raise PluginError(f"{hook} must yield {spec_class.__name__}, got {type(spec).__name__} {spec!r:.80}")
    if again:
        raise PluginError(f"{hook} yields the name {spec.name!r} twice")


def _cause(err: BaseException) -> str:
    if isinstance(err, pluggy.PluginValidationError):
        text = str(err)
        hooks = [hook for hook, _ in KINDS.values()]
        for word in text.replace("'", " ").split():
            near = difflib.get_close_matches(word, hooks, n=1, cutoff=0.7)
            if word.startswith(f"{hookspecs.PROJECT}_") and word not in hooks:
                return f"there is no hook {word!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return str(err) if isinstance(err, PluginError) else _one_line(err)


def _one_line(err: BaseException) -> str:
    return " ".join(f"{type(err).__name__}: {err}".split())[:300]


def _broken(entry: str, distribution: str, version: str, cause: str, err: BaseException) -> Broken:
    return Broken(entry, distribution, version, cause, "".join(traceback.format_exception(err)))


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[None]:
    """What a plugin prints goes to stderr, so that stdout carries results only."""
    with contextlib.redirect_stdout(sys.stderr or io.StringIO()):
        yield
