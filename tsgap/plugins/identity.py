"""What a chosen plugin is, for a cell's content key: distribution, version and a hash of its code."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import sys
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np


def code_hash(obj: Any) -> str:
    """Hash of the code behind a callable or an instance, equal in every process.

    Code from a file is the text of its module, with the other modules of the same package, and what a function made
    within another one was made with; what has no file (a notebook, an interactive session) is its compiled code with
    all that it refers to. An instance adds its state.
    """
    return _digest(obj, frozenset()).hex()[:16]


def content_of(value: Any) -> str:
    """A parameter's value for a content key: what is plain as it is written, anything else by its hash.

    >>> content_of((1, 0.5, "x"))
    "(1, 0.5, 'x')"
    """
    return repr(value) if _is_plain(value) else f"<{type(value).__name__} {code_hash(value)}>"


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _digest(obj: Any, above: frozenset[int]) -> bytes:
    h = hashlib.sha256()
    if id(obj) in above:
        return h.digest()
    inside = above | {id(obj)}
    for part in _parts(obj, inside):
        raw = part if isinstance(part, bytes) else _digest(part[0], inside)
        h.update(len(raw).to_bytes(8, "little"))
        h.update(raw)
    return h.digest()


def _parts(obj: Any, inside: frozenset[int]) -> list[Any]:
    """An object as bytes and, each in a tuple of one, the objects it is made of; `inside` are those around it."""
    kind = type(obj).__qualname__.encode()
    if obj is None or obj is ... or isinstance(obj, bool | int | float | complex | str | bytes | np.generic):
        return [kind, repr(obj).encode()]
    if isinstance(obj, tuple | list):
        return [kind, *((item,) for item in obj)]
    if isinstance(obj, set | frozenset):
        return [kind, *sorted(_digest(item, inside) for item in obj)]
    if isinstance(obj, dict | types.MappingProxyType):
        return [b"dict", *sorted(_digest((key, value), inside) for key, value in obj.items())]
    if isinstance(obj, np.ndarray) and obj.dtype != object:
        return [kind, str((obj.dtype.str, obj.shape)).encode(), np.ascontiguousarray(obj).tobytes()]
    if isinstance(obj, np.random.Generator):
        return [kind, (obj.bit_generator.state,)]
    if isinstance(obj, functools.partial):
        return [kind, (obj.func,), (obj.args,), (obj.keywords,)]
    if isinstance(obj, types.ModuleType):
        return [kind, obj.__name__.encode()]
    if isinstance(obj, types.MethodType):
        return [kind, (obj.__func__,), (obj.__self__,)]
    if isinstance(obj, types.CodeType):
        names = (obj.co_names, obj.co_varnames, obj.co_freevars, obj.co_argcount, obj.co_kwonlyargcount, obj.co_flags)
        return [kind, obj.co_code, (names,), (obj.co_consts,)]
    if isinstance(obj, property):
        return [kind, (obj.fget,), (obj.fset,)]
    if isinstance(obj, staticmethod | classmethod):
        return [kind, (obj.__func__,)]
    if isinstance(obj, type | types.FunctionType | types.BuiltinFunctionType):
        source = _module_source(obj)
        if source is not None:
            return [kind, obj.__qualname__.encode(), source, *_made_within(obj)]
        return [kind, obj.__qualname__.encode(), *_compiled(obj)]
    state = getattr(obj, "__dict__", None)
    if state is None:
        state = {name: getattr(obj, name, None) for name in getattr(type(obj), "__slots__", ())}
        if not state:
            return [kind, _pickled(obj)]
    return [b"object", (type(obj),), (state,)]


def _pickled(obj: Any) -> bytes:
    """The bytes of an object of which nothing else is known; new ones each time where it has none: never reused."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(obj))
    except Exception:  # noqa: BLE001 - an object may refuse to be pickled in any way
        return uuid.uuid4().bytes


def _compiled(obj: Any) -> list[Any]:
    if isinstance(obj, types.FunctionType):
        used = {name: obj.__globals__[name] for name in _global_names(obj.__code__) if name in obj.__globals__}
        return [(obj.__code__,), (obj.__defaults__,), (obj.__kwdefaults__,), (used,), (_enclosed(obj),)]
    if isinstance(obj, type):
        return _members(obj)
    return [str(obj.__module__).encode()]


def _made_within(obj: Any) -> list[Any]:
    """What the text of a module does not tell: one text within a function makes many functions and classes."""
    local = "<" in obj.__qualname__
    if isinstance(obj, types.FunctionType):
        own = [(obj.__code__,), (obj.__defaults__,), (obj.__kwdefaults__,)] if local else []
        return own + ([(_enclosed(obj),)] if obj.__closure__ else [])
    return _members(obj) if local and isinstance(obj, type) else []


def _enclosed(function: types.FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


def _members(kind: type) -> list[Any]:
    own = {name: value for name, value in vars(kind).items() if not _is_interpreters(name, value)}
    return [(kind.__bases__,), (own,)]


def _is_interpreters(name: str, value: Any) -> bool:
    """Whether Python, and not the author, put it into a class: some of it comes and goes with the use of the class."""
    written = isinstance(value, types.FunctionType | staticmethod | classmethod | property)
    return name.startswith("_abc_") or (name.startswith("__") and name.endswith("__") and not written)


def _global_names(code: types.CodeType) -> set[str]:
    own = {str(i.argval) for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_global_names(const) for const in code.co_consts if isinstance(const, types.CodeType)))


def _module_source(obj: Any) -> bytes | None:
    """Hash of the package folder (or of the one file) that an object's module lies in, None without a file."""
    module = sys.modules.get(getattr(obj, "__module__", None) or "")
    if module is None or module.__name__ in ("builtins", "__main__"):
        return b"builtins" if module is not None and module.__name__ == "builtins" else None
    try:
        file = Path(inspect.getfile(module))
    except TypeError:
        return None
    return _files_hash(file.parent if getattr(module, "__package__", "") else file)


def _files_hash(place: Path) -> bytes | None:
    h = hashlib.sha256()
    try:
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            h.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    except OSError:
        return None
    return h.digest()
