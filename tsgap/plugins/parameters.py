"""Parameters as they are typed: what a signature has, text to values by the type of the default, and back."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from tsgap.errors import UsageError


def of_signature(build: Callable[..., Any]) -> dict[str, Any]:
    """Parameters with their defaults, `...` where a value must be given."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {
        p.name: ... if p.default is p.empty else p.default
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def pairs_of(words: str, rest: str) -> dict[str, str]:
    """``key=value,…`` as a dictionary of texts; `words` is all that was typed, for the message."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{words!r}: a parameter is written key=value, got {part!r}")
        if key.strip() in pairs:
            raise UsageError(f"{words!r}: the parameter {key.strip()!r} is given twice")
        pairs[key.strip()] = value.strip()
    return pairs


def value_of(where: str, text: str, default: Any) -> Any:
    """A value of the type of the default.

    None and a value that must be given tell no type: a number, none, true and false are what they look like,
    anything else is text.
    """
    try:
        if isinstance(default, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if isinstance(default, int | float):
            return type(default)(text)
        if isinstance(default, tuple | list):
            first = default[0] if default else None
            return type(default)(value_of(where, item, first) for item in text.split("+") if item)
    except UsageError:
        raise
    except (KeyError, ValueError) as err:
        kinds = {bool: "true or false", int: "a whole number", float: "a number"}
        raise UsageError(f"{where} must be {kinds.get(type(default), type(default).__name__)}, got {text!r}") from err
    if isinstance(default, str):
        return text
    words = {"none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    if re.fullmatch(r"-?\d+(\+-?\d+)+", text):
        return tuple(int(item) for item in text.split("+"))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def shown(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as they are typed: 12, 0.5, true, none, 1+1+1, text."""

    def text(value: Any) -> str:
        if value is ...:
            return "(needed)"
        if value is None or isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple | list):
            return "+".join(text(item) for item in value)
        return value if isinstance(value, str) else repr(value)

    return {key: text(value) for key, value in params.items()}
