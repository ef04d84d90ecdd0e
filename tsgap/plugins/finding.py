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
from typing import Any

import pluggy

from tsgap import hookspecs
from tsgap.errors import PluginError
from tsgap.plugins.naming import KINDS, Broken, Registered, Registry
from tsgap.plugins.signatures import misfit
from tsgap.protocols import API

#: Distribution of what was registered in this process with `tsgap.register`.
HERE = "here"


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
        return Registry.of([*offers, *_here.values()], broken)


def register(obj: Any) -> tuple[Registered, ...]:
    """Offer something in this process, without a package: what was registered comes back.

    `obj` is a spec, a forecaster (class, factory or instance), a generator (class or instance), a diagnostic (a
    function of ``(contrast, *, seed)``), or a module or object with hook implementations.
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
        name = offer.spec.name
        owners = [known[name]] if name in known else [r for r in known.values() if r.spec.name == name]
        who = " and ".join(owner.distribution for owner in owners if owner.distribution != HERE)
        if who:
            raise PluginError(f"{name!r} cannot be registered, it is a name of {who}; choose another one")
    with _lock:
        for kind, offer in new:
            _here[kind, offer.spec.name] = (kind, offer)
    return tuple(offer for _, offer in new)


_Offer = tuple[str, Registered]
_lock = threading.RLock()
_loaded: tuple[list[_Offer], list[Broken]] | None = None
_loading = False
_here: dict[tuple[str, str], _Offer] = {}


def _offers_of(obj: Any) -> list[_Offer]:
    for kind, (_, spec_class) in KINDS.items():
        if isinstance(obj, spec_class):
            if fault := misfit(obj):
                raise PluginError(f"cannot register {obj.name!r}: {fault}")
            return [(kind, Registered(obj, HERE, ""))]
    manager = _manager()
    if any(manager.parse_hookimpl_opts(obj, name) for name in dir(obj)):
        offers, broken = _load(manager, obj, "register", HERE, "", set())
        if broken:
            raise PluginError(f"cannot register {obj!r}: {broken[0].cause}")
        return offers
    from tsgap.plugins.choosing import diagnostic_of, spec_of_object

    if inspect.isfunction(obj) and next(iter(inspect.signature(obj).parameters), "") == "contrast":
        return _offers_of(diagnostic_of(obj))
    one = "generator" if callable(getattr(obj, "sample", None)) else "forecaster"
    return [(f"{one}s", Registered(spec_of_object(one, obj), HERE, ""))]


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _load_entry_points() -> tuple[list[_Offer], list[Broken]]:
    manager = _manager()
    offers: list[_Offer] = []
    broken: list[Broken] = []
    names: set[tuple[str, str, str]] = set()
    for point, name, version in _entry_points():
        try:
            with prints_to_stderr():
                plugin = point.load()
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin's fault is kept, whatever it is
            broken.append(_broken(point.name, name, version, f"cannot be imported: {_one_line(err)}", err))
            continue
        found, failed = _load(manager, plugin, point.name, name, version, names)
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
    manager: pluggy.PluginManager,
    plugin: Any,
    entry: str,
    distribution: str,
    version: str,
    names: set[tuple[str, str, str]],
) -> tuple[list[_Offer], list[Broken]]:
    """Register one plugin and call each of its hooks on its own; `names` are those of which there is one already."""
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
    for kind, (hook, spec_class) in KINDS.items():
        for impl in getattr(manager.hook, hook).get_hookimpls():
            if impl.plugin is not plugin:
                continue
            try:
                with prints_to_stderr():
                    for spec in impl.function():
                        fault = _fault(hook, spec, spec_class, (distribution, kind, getattr(spec, "name", "")), names)
                        if fault:
                            broken.append(Broken(entry, distribution, version, fault))
                        else:
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


def _fault(hook: str, spec: Any, spec_class: type[Any], place: tuple[str, str, str], names: set[Any]) -> str:
    """Why one spec cannot be offered, or nothing: then its name is taken."""
    if not isinstance(spec, spec_class):
        return f"{hook} must yield {spec_class.__name__}, got {type(spec).__name__} {spec!r:.80}"
    if place in names:
        return f"{hook} yields the name {spec.name!r} twice"
    names.add(place)
    return _one_line(misfit(spec))


def _cause(err: BaseException) -> str:
    if isinstance(err, pluggy.PluginValidationError):
        text = str(err)
        hooks = [hook for hook, _ in KINDS.values()]
        for word in text.replace("'", " ").split():
            near = difflib.get_close_matches(word, hooks, n=1, cutoff=0.7)
            if word.startswith(f"{hookspecs.PROJECT}_") and word not in hooks:
                return f"there is no hook {word!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return str(err) if isinstance(err, PluginError) else _one_line(err)


def _one_line(what: BaseException | str) -> str:
    text = what if isinstance(what, str) else f"{type(what).__name__}: {what}"
    return " ".join(text.split())[:300]


def _broken(entry: str, distribution: str, version: str, cause: str, err: BaseException) -> Broken:
    return Broken(entry, distribution, version, cause, "".join(traceback.format_exception(err)))


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[None]:
    """What a plugin prints goes to stderr, so that stdout carries results only."""
    with contextlib.redirect_stdout(sys.stderr or io.StringIO()):
        yield
