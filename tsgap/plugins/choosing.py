"""From what a user asks for (a name with parameters, an address in a module, an object) to a spec with parameters."""

from __future__ import annotations

import copy
import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tsgap.errors import PluginError, TsgapError, UnknownNameError, UsageError
from tsgap.plugins.finding import prints_to_stderr, registry
from tsgap.plugins.identity import code_hash, content_of
from tsgap.plugins.naming import HOST, Registered, Registry
from tsgap.plugins.parameters import of_signature, pairs_of, shown, value_of
from tsgap.plugins.signatures import misfit
from tsgap.protocols import DiagnosticSpec, ForecasterSpec, GeneratorSpec, MetricSpec

#: kind → (kind in the registry, class of its specs, methods that its objects have)
_KINDS: dict[str, tuple[str, type[Any], tuple[str, str]]] = {
    "forecaster": ("forecasters", ForecasterSpec, ("fit", "predict")),
    "generator": ("generators", GeneratorSpec, ("fit", "sample")),
}


@dataclass(frozen=True)
class Chosen:
    """A spec with all parameters filled in.

    `address` is what one types to choose it again, with the parameters that differ from their defaults; `label` is
    the same unless the user calls it something else. `identity` is what a cell's content key must hold beyond name
    and parameters: distribution, version and code.
    """

    spec: Any
    params: Mapping[str, Any]
    label: str
    distribution: str
    version: str
    identity: str
    address: str

    @property
    def content(self) -> dict[str, str]:
        """The parameters for a content key: equal text, equal value."""
        return {name: content_of(value) for name, value in sorted(self.params.items())}

    def build(self) -> Any:
        """A fresh forecaster or generator."""
        return self.spec.build(**self.params)


def choose_forecaster(what: Any, *, label: str | None = None) -> Chosen:
    """The forecaster that is meant by a name, an address or an object.

    `what` is ``name[:key=value,…]``, ``distribution/name[:…]`` or ``module:callable[:…]`` (imported with the
    current directory importable), or in Python a `ForecasterSpec`, a class, a factory, or an instance with `fit`
    and `predict`. Values take the type of the parameter's default; a tuple is written ``1+1+1``. `label` is what
    results call it, instead of its name and parameters; it may not be the name of another forecaster.
    Raises `UnknownNameError`, `PluginError` where two distributions claim the name, `UsageError` otherwise.
    """
    chosen = _choose("forecaster", what)
    return chosen if label is None else _labelled(chosen, label)


def choose_generator(what: Any) -> Chosen:
    """The generator that is meant by a name (``block-bootstrap:length=24``), an address or an object.

    An object is a `GeneratorSpec`, a class, a factory, or an instance with `fit` and `sample`.
    """
    return _choose("generator", what)


def choose_metric(what: Any) -> MetricSpec:
    """The metric that is meant by a name, ``distribution/name``, the address ``module:spec``, or a `MetricSpec`.

    Raises `UnknownNameError` for a name nobody registered, and `UsageError` for what is no metric.
    """
    if isinstance(what, str):
        everything = registry()
        head, colon, path = what.strip().partition(":")
        what = _imported("metric", "metrics", head, path, everything) if colon else everything.named("metrics", head)
    spec = what.spec if isinstance(what, Registered) else what
    if not isinstance(spec, MetricSpec):
        raise UsageError(f"a metric is a MetricSpec, or the name or address of one, got {spec!r}")
    if fault := misfit(spec):
        raise UsageError(f"metric {spec.name!r} cannot be used: {fault}")
    return spec


def choose_diagnostic(what: Any) -> DiagnosticSpec:
    """The diagnostic that is meant by a name, the address ``module:function``, a function or a `DiagnosticSpec`.

    A function is called as ``measure(contrast, *, seed)`` and goes by its own name. Raises `UnknownNameError` for a
    name nobody registered, and `UsageError` for what is no diagnostic.
    """
    name = ""
    if isinstance(what, str):
        everything = registry()
        head, colon, path = what.strip().partition(":")
        name = f"{head}.{path}" if colon else ""
        what = (
            _imported("diagnostic", "diagnostics", head, path, everything)
            if colon
            else everything.named("diagnostics", head)
        )
    spec = what.spec if isinstance(what, Registered) else what
    if inspect.isfunction(spec):
        spec = diagnostic_of(spec, name=name)
    if not isinstance(spec, DiagnosticSpec):
        raise UsageError(f"a diagnostic is a DiagnosticSpec, a function or the name or address of one, got {spec!r}")
    if fault := misfit(spec):
        raise UsageError(f"diagnostic {spec.name!r} cannot be used: {fault}")
    return spec


def diagnostic_of(measure: Callable[..., Any], *, name: str = "") -> DiagnosticSpec:
    """The spec of a function `measure(contrast, *, seed)`, by its own name and the first line of what it says."""
    name = name or _kebab(measure.__name__)
    return DiagnosticSpec(name, (inspect.getdoc(measure) or name).strip().splitlines()[0], measure)


def code_of(spec: DiagnosticSpec) -> str:
    """What a diagnostic computes, for a content key: its code, and the versions of what it requires."""
    needs = [_package(line) for line in spec.requires]
    return " ".join([code_hash(spec.measure), *(f"{package}=={installed_version(package)}" for package in needs)])


def choose_features(what: Any) -> Callable[..., Any]:
    """A function of windows (N, L) and a season length to features (N, F): itself, or what stands at module:function.

    Raises `UsageError` for anything else.
    """
    if callable(what):
        found: Callable[..., Any] = what
        return found
    address = re.fullmatch(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)", str(what))
    if address is None:
        raise UsageError(f"features are a function, or written module:function, got {what!r}")
    at = _imported("function", "", address[1], address[2], registry())
    if not callable(at):
        raise UsageError(f"{what}: a {type(at).__name__} is no function of windows (N, L) and a season length")
    try:
        inspect.signature(at).bind(None, None)
    except TypeError as err:
        raise UsageError(f"{what} cannot be called with windows (N, L) and a season length: {err}") from err
    except ValueError:  # a built-in function that does not say what it takes
        pass
    found = at
    return found


def missing_requirements(spec: Any) -> list[str]:
    """Those of the packages in `spec.requires` that are not installed, each with its hint."""

    def found(package: str) -> bool:
        try:
            return importlib.util.find_spec(package) is not None
        except (ImportError, ValueError):
            return False

    return [line for line in getattr(spec, "requires", ()) if not found(_package(line))]


def _choose(kind: str, what: Any) -> Chosen:
    if isinstance(what, Chosen):
        return what
    if isinstance(what, Registered):
        return _fill(kind, what, registry(), {}, None)
    if isinstance(what, str):
        return _choose_words(kind, what.strip())
    spec = spec_of_object(kind, what)
    everything = registry()
    for offer in getattr(everything, _KINDS[kind][0]).values():
        if offer.spec is spec:
            return _fill(kind, offer, everything, {}, None)
    return _fill(kind, Registered(spec, _home(what), ""), everything, {}, None)


def _labelled(chosen: Chosen, label: str) -> Chosen:
    if not isinstance(label, str) or not label.isprintable() or not label.strip() or set(label) & set(":=,/\\ "):
        raise UsageError(f"a label is printable, and without spaces and any of : = , / \\ inside; got {label!r}")
    if label in registry().forecasters and label != chosen.label:
        raise UsageError(f"the label {label!r} is the name of another forecaster than {chosen.label!r}; choose another")
    return replace(chosen, label=label)


def _choose_words(kind: str, words: str) -> Chosen:
    everything = registry()
    table = _KINDS[kind][0]
    head, colon, rest = words.partition(":")
    if not head or (colon and not rest):
        raise UsageError(f"a {kind} is written name, name:key=value,… or module:callable, got {words!r}")
    address = re.fullmatch(r"([A-Za-z_][\w.]*)(?::(.*))?", rest) if colon else None
    if address and not _is_registered(everything, table, head):
        return _choose_address(kind, head, address[1], address[2] or "", everything)
    return _fill(kind, everything.named(table, head), everything, pairs_of(words, rest), None)


def _is_registered(everything: Registry, table: str, name: str) -> bool:
    try:
        everything.named(table, name)
    except UnknownNameError:
        return False
    except PluginError:
        return True
    return True


def _choose_address(kind: str, module: str, path: str, rest: str, everything: Registry) -> Chosen:
    where = f"{module}:{path}"
    obj = _imported(kind, _KINDS[kind][0], module, path, everything)
    spec = spec_of_object(kind, obj, name=f"{module}.{path}")
    offer = Registered(spec, module.partition(".")[0], "")
    return _fill(kind, offer, everything, pairs_of(f"{where}:{rest}", rest), where)


def _imported(kind: str, table: str, module: str, path: str, everything: Registry) -> Any:
    """What stands at an address, ``module:path``; `table` "" where nothing of its kind has a name of its own."""
    where = f"{module}:{path}"
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with prints_to_stderr():
            found = importlib.import_module(module)
    except ModuleNotFoundError as err:
        if err.name != module.partition(".")[0]:
            raise UsageError(f"{where}: importing {module} failed: {type(err).__name__}: {err}") from err
        if not table:
            raise UsageError(f"{where}: there is no module {module!r}") from err
        near = difflib.get_close_matches(module, getattr(everything, table), n=1, cutoff=0.6)
        hint = f"; did you mean the {kind} {near[0]!r}, with parameters as key=value?" if near else ""
        note = f". {everything.failures}" if everything.failures else ""
        raise UsageError(f"{where}: there is no module {module!r}, nor a {kind} of that name{hint}{note}") from err
    except (Exception, SystemExit) as err:
        raise UsageError(f"{where}: importing {module} failed: {type(err).__name__}: {err}") from err
    try:
        return functools.reduce(getattr, path.split("."), found)
    except AttributeError as err:
        public = [name for name in vars(found) if not name.startswith("_")]
        near = difflib.get_close_matches(path, public, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{where}: module {module} has no {path!r}{hint}") from err


def spec_of_object(kind: str, obj: Any, *, name: str = "") -> Any:
    """The spec of a class, a factory or an instance; a spec stays as it is.

    Nothing is known of an object without a spec: it counts as learned, global and random, which costs time but
    never makes a result wrong.
    """
    _, spec_class, methods = _KINDS[kind]
    if isinstance(obj, spec_class):
        return obj
    has = all(callable(getattr(obj, method, None)) for method in methods)
    wanted = f"a {kind} is a {spec_class.__name__}, or a class, function or object with {' and '.join(methods)}"
    if has and not isinstance(obj, type):
        return _spec(kind, name or _kebab(type(obj).__name__), obj, _Copies(obj), {})
    if not callable(obj) or (isinstance(obj, type) and not has):
        raise UsageError(f"{wanted}, got {obj!r}")
    return _spec(kind, name or _kebab(getattr(obj, "__name__", type(obj).__name__)), obj, obj, of_signature(obj))


def _spec(kind: str, name: str, obj: Any, build: Callable[..., Any], params: dict[str, Any]) -> Any:
    summary = (inspect.getdoc(obj) or name).strip().splitlines()[0]
    if kind == "generator":
        return GeneratorSpec(name, summary, build, params, paired=False)
    return ForecasterSpec(name, summary, build, params, deterministic=False)


class _Copies:
    """Builds copies of an instance as it was when it was handed over."""

    def __init__(self, instance: Any) -> None:
        try:
            self.pristine = copy.deepcopy(instance)
        except Exception as err:
            raise UsageError(
                f"{instance!r} cannot be copied ({type(err).__name__}: {err}); give its class or a function"
            ) from err

    def __call__(self) -> Any:
        return copy.deepcopy(self.pristine)


def _fill(kind: str, offer: Registered, everything: Registry, given: Mapping[str, str], label: str | None) -> Chosen:
    spec = offer.spec
    if label is None:
        label = everything.label(_KINDS[kind][0], offer)
    if getattr(spec, "refused", ""):
        raise UsageError(f"{kind} {label!r} cannot be used: {spec.refused}")
    if fault := "" if offer.version else misfit(spec):
        raise UsageError(f"{kind} {label!r} cannot be used: {fault}")
    missing = missing_requirements(spec)
    if missing:
        raise UsageError(f"{kind} {label!r} needs what is not installed: {'; '.join(missing)}")
    params = dict(spec.params)
    for key, text in given.items():
        if key not in params:
            near = difflib.get_close_matches(key, params, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            has = ", ".join(f"{k}={v}" for k, v in shown(params).items()) or "none"
            raise UsageError(f"{kind} {label!r} has no parameter {key!r}{hint} Its parameters: {has}")
        params[key] = value_of(f"{label}:{key}", text, params[key])
    needed = [key for key, value in params.items() if value is ...]
    if needed:
        raise UsageError(f"{kind} {label!r} needs a value for {', '.join(needed)}, as in {label}:{needed[0]}=…")
    changed = {k: v for k, v in params.items() if k in given and shown({k: v}) != shown({k: spec.params[k]})}
    if changed:
        label += ":" + ",".join(f"{k}={v}" for k, v in shown(changed).items())
    chosen = Chosen(spec, params, label, offer.distribution, offer.version, _identity(offer), label)
    if (not offer.version and inspect.isfunction(spec.build)) or (changed and offer.distribution == HOST):
        _check_built(kind, chosen)
    return chosen


def _check_built(kind: str, chosen: Chosen) -> None:
    """Refuse at once a function that builds something else, and values that parameters of our own do not take.

    What a class of others builds is known without building it, and to build it here may take long.
    """
    try:
        built = chosen.build()
    except TsgapError as err:
        raise UsageError(f"{kind} {chosen.label!r} cannot be built: {err}") from err
    except Exception as err:
        raise UsageError(f"{kind} {chosen.label!r} cannot be built: {type(err).__name__}: {err}") from err
    methods = _KINDS[kind][2]
    if not all(callable(getattr(built, method, None)) for method in methods):
        what = f"{chosen.spec.build.__name__} built a {type(built).__name__}, which has no {' and '.join(methods)}"
        raise UsageError(f"{kind} {chosen.label!r} cannot be used: {what}")


def _identity(offer: Registered) -> str:
    build = offer.spec.build
    code = code_hash(build.pristine if isinstance(build, _Copies) else build)
    rest = replace(offer.spec, build=dict, summary="", params={})
    declared = code_hash({k: v for k, v in vars(rest).items() if k != "build"})
    who = f"{offer.distribution}=={offer.version}" if offer.version else offer.distribution
    needs = [_package(line) for line in getattr(offer.spec, "requires", ())]
    return " ".join([who, f"{code}{declared}", *(f"{package}=={installed_version(package)}" for package in needs)])


def installed_version(package: str) -> str:
    """Version of the distribution that brings an importable package, "unknown" where no metadata say so."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        homes = _homes().get(package, [])
        return importlib.metadata.version(homes[0]) if homes else "unknown"


@functools.cache
def _homes() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _package(requirement: str) -> str:
    return requirement.partition(":")[0].strip()


def _kebab(name: str) -> str:
    return re.sub(r"[^\w.-]", "", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()).strip("-")


def _home(obj: Any) -> str:
    module = getattr(obj, "__module__", None) or type(obj).__module__
    return "here" if module == "__main__" else str(module).partition(".")[0]
