"""The tree of exceptions is the one that is drawn."""

from __future__ import annotations

import re

import pytest

from tsgap import errors
from tsgap.errors import TsgapError, UnknownNameError, UsageError

CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, TsgapError)}


def drawn() -> dict[str, tuple[str, str, str]]:
    """Name → (parent, built-in, meaning) of every line of the drawing."""
    assert errors.__doc__ is not None
    out, path = {}, {0: "TsgapError"}
    for line in errors.__doc__.splitlines():
        found = re.match(r"([│ ]*)[├└]── (\w+) \((\w+)\)\s+(\S.*)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            path[depth] = found[2]
            out[found[2]] = (path[depth - 1], found[3], found[4])
    return out


def test_the_drawing_is_the_tree() -> None:
    assert errors.__doc__ is not None
    assert "\nTsgapError\n" in errors.__doc__
    assert set(drawn()) == set(CLASSES) - {"TsgapError"}
    for name, (parent, builtin, meaning) in drawn().items():
        assert [base.__name__ for base in CLASSES[name].__bases__] == [parent, builtin]
        assert meaning


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_exception_is_documented_and_carries_its_message(name: str) -> None:
    kind = CLASSES[name]
    assert kind.__doc__
    if name != "TsgapError":
        assert len(kind.__mro__) > len(TsgapError.__mro__) + 1  # it is a built-in one too
    assert str(kind("what was asked")) == "what was asked"


def test_an_unknown_name_lists_near_ones_and_all() -> None:
    err = UnknownNameError.of("forecaster", "linaer", ["mae", "linear"], note="1 plugin did not load.")
    assert str(err) == (
        "no forecaster is called 'linaer'; did you mean 'linear'? There are: linear, mae. 1 plugin did not load."
    )
    assert isinstance(err, UsageError)
    assert isinstance(err, LookupError)


def test_an_unknown_name_without_near_ones_is_a_sentence_too() -> None:
    assert str(UnknownNameError.of("metric", "x", ["mae"])) == "no metric is called 'x'. There are: mae."
    assert str(UnknownNameError.of("metric", "x", [])) == "no metric is called 'x'. There are: none."
