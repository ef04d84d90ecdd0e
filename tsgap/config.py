"""An experiment as a TOML file: read, checked with the offender named, and written."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tsgap.errors import UnknownNameError, UsageError
from tsgap.experiment import DEFAULT_FORECASTERS, SHARED, DataSpec, Experiment, Horizons, SourceSpec, label_of, listed
from tsgap.readers.options import ReadOptions

#: TOML has dates of its own, written without quotes.
_dated = BeforeValidator(lambda v: v.isoformat() if isinstance(v, date) else v)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Source(_Table):
    synthetic: str
    name: str = ""
    inverse: Literal["minmax", "zscore"] | None = None
    channels: list[str] = []


class _Data(_Table):
    real: str
    name: str = ""
    horizons: Horizons | None = None
    windows: int | None = None
    step: int | None = None
    first_cutoff: Annotated[str | int | None, _dated] = None
    freq: str | None = None
    season_length: list[int] | int = []
    id_col: str = "unique_id"
    time_col: str = "ds"
    target_col: str = "y"
    wide: bool = False
    groups: list[str] = []
    weights: str | None = None
    missing: Literal["fill", "error"] = "fill"
    sources: list[_Source] = []


class _File(_Table):
    data: list[_Data] = Field(min_length=1)
    sources: list[_Source] = []
    forecasters: list[str] = list(DEFAULT_FORECASTERS)
    horizons: Horizons | None = None
    replicates: int | None = None
    seed: int = 0
    scaling: str | None = None
    context: int | None = None
    match: bool = True
    null: bool = True
    oracle_split: bool = False
    validation: bool = False
    augment: Literal["", "also", "only"] = ""
    cheap: bool = False
    event: str = ""
    diagnose: bool = False
    rules: list[str] = []
    features: str | None = None
    outsiders: str | None = None
    stress: bool = False
    quantiles: list[float] = []
    generator_cutoff: Annotated[str | int | None, _dated] = None


_READING = ("freq", "season_length", "id_col", "time_col", "target_col", "wide", "groups", "weights", "missing")


def from_toml(path: str | Path, *, data_dir: str | Path | None = None) -> Experiment:
    """The experiment of a file; files named in it lie relative to its folder. Raises `UsageError`."""
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    try:
        found = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise UsageError(f"{path} is not TOML: {err}") from err
    except ValidationError as err:
        first = min(err.errors(), key=lambda e: e["type"] != "extra_forbidden")
        where = ".".join(str(p) for p in first["loc"])
        more = f" ({err.error_count() - 1} more)" if err.error_count() > 1 else ""
        if first["type"] == "extra_forbidden":
            raise UnknownNameError.of(f"setting of {path}", where, _settings_beside(first["loc"])) from err
        raise UsageError(f"{path}: {where}: {first['msg']}, got {first['input']!r:.80}{more}") from err
    data, sources = [], [_source(s, "", path.parent) for s in found.sources]
    for table in found.data:
        name = table.name or label_of(table.real, "data")
        reading = {key: getattr(table, key) for key in _READING}
        season = reading["season_length"]
        reading["season_length"] = (season,) if isinstance(season, int) else tuple(season)
        reading["groups"] = tuple(reading["groups"])
        data.append(
            DataSpec(
                name,
                _placed(table.real, path.parent),
                ReadOptions(**reading, data_dir=data_dir),
                listed(table.horizons if table.horizons is not None else found.horizons),
                table.windows,
                table.step,
                table.first_cutoff,
            )
        )
        sources += [_source(s, name, path.parent) for s in table.sources]
    shared = {key: getattr(found, key) for key in SHARED}
    if shared["generator_cutoff"] is not None:
        shared["generator_cutoff"] = str(shared["generator_cutoff"])
    if shared["outsiders"] is not None:
        shared["outsiders"] = _placed(shared["outsiders"], path.parent)
    return Experiment(tuple(data), tuple(sources), tuple(found.forecasters), **shared)


def _settings_beside(place: tuple[int | str, ...]) -> list[str]:
    """The settings that there are at a place of the file, each with the way to it."""
    table = _Source if "sources" in place[:-1] else _Data if "data" in place[:-1] else _File
    return [".".join(map(str, (*place[:-1], name))) for name in table.model_fields]


def _source(table: _Source, data: str, home: Path) -> SourceSpec:
    name = table.name or label_of(table.synthetic, "synthetic")
    return SourceSpec(name, _placed(table.synthetic, home), data, table.inverse, tuple(table.channels))


def _placed(what: str, home: Path) -> str:
    return what if what.startswith(("gen:", "card:")) else str(home / what)


def to_toml(experiment: Experiment, home: str | Path = ".") -> str:
    """The text of a file in folder `home` that says the same; `UsageError` where Python objects stand in for files."""
    lines = []
    for key in SHARED:
        value = getattr(experiment, key)
        if key in ("outsiders", "features") and value is not None:
            value = _text(value, key, home if key == "outsiders" else None)
        if value is not None and value != ():
            lines.append(f"{key} = {_toml(value)}")
    lines.append(f"forecasters = {_toml([_text(f, 'forecaster', None) for f in experiment.forecasters])}")
    for source in experiment.sources:
        if not source.data:
            lines += ["", "[[sources]]", *_source_lines(source, home)]
    for data in experiment.data:
        table: dict[str, Any] = {"name": data.name, "real": _text(data.what, "data set", home)}
        table |= {"horizons": list(data.horizons) or None, "windows": data.windows, "step": data.step}
        table["first_cutoff"] = data.first_cutoff
        defaults = {f.name: f.default for f in fields(ReadOptions)}
        for key in _READING:
            value = getattr(data.options, key)
            table[key] = None if value == defaults[key] else value
        lines += ["", "[[data]]", *_table_lines(table)]
        for source in experiment.sources:
            if source.data == data.name:
                lines += ["", "[[data.sources]]", *_source_lines(source, home)]
    return "\n".join(lines) + "\n"


def _source_lines(source: SourceSpec, home: str | Path) -> list[str]:
    table = {"name": source.name, "synthetic": _text(source.what, "source", home), "inverse": source.inverse}
    return _table_lines({**table, "channels": list(source.channels) or None})


def _table_lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]


def _text(what: Any, kind: str, home: str | Path | None) -> str:
    if not isinstance(what, (str, Path)):
        raise UsageError(f"a {type(what).__name__} as {kind} cannot be written to a file; save it and give its path")
    text = str(what)
    if home is None or text.startswith(("gen:", "card:")):
        return text
    return text if os.path.isabs(text) else os.path.relpath(text, home)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(v) for v in value)}]"
    # TOML's basic strings are JSON's, but for DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
