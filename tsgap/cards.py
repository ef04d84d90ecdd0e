"""Data cards: Markdown with a checked head that says what a real data set is, where it is from and how to use it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tsgap.errors import DataError, UnknownNameError

#: A card is text that a person reads; one larger than this is refused.
LARGEST = 64_000

#: The headings of "Datasheets for Datasets" (Gebru et al. 2021), which every card has.
HEADINGS = (
    "Motivation",
    "Composition",
    "Collection process",
    "Preprocessing",
    "Uses",
    "Distribution",
    "Maintenance",
)

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = r"^[0-9a-f]{64}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Length(_Strict):
    """Number of steps of the series, missing ones included."""

    min: int = Field(ge=1)
    median: float = Field(ge=1)
    max: int = Field(ge=1)


class Missing(_Strict):
    """Whether values are missing (``fill``: they are filled after cutting) and how many steps have none."""

    policy: Literal["none", "fill"]
    values: int = Field(ge=0)


class Original(_Strict):
    """A file of the data set's publisher, at a fixed version, and the hash of its bytes."""

    url: str = Field(pattern=r"^https://")
    sha256: str = Field(pattern=_SHA256)
    bytes: int = Field(ge=1)


class Block(_Strict):
    """The ``tsgap:`` block; numbers that nobody has measured on the whole data set are null."""

    version: Literal[1] = Field(alias="schema")
    id: str
    freq: str
    tz: str | None
    n_series: int = Field(ge=1)
    length: Length | None
    seasons: tuple[int, ...] = Field(min_length=1, strict=False)
    horizons: tuple[int, ...] = Field(min_length=1, strict=False)
    windows: int = Field(ge=1)
    missing: Missing | None
    value_range: tuple[float, float] | None = Field(strict=False)
    domain: str
    url: str | None
    reader: str
    originals: tuple[Original, ...] = Field(strict=False)
    fingerprint: str | None = Field(pattern=r"^[0-9a-f]{32}$")
    redistribution: str
    quirks: tuple[str, ...] = Field(strict=False)
    known_pretraining_overlap: tuple[str, ...] = Field(strict=False)
    citation: str

    @field_validator("id")
    @classmethod
    def _plain_id(cls, value: str) -> str:
        if not _ID.fullmatch(value) or ".." in value or len(value) > 64:
            raise ValueError(
                "an id has small letters, digits, '.', '_' and '-', 64 at most, and starts with one of a-z, 0-9"
            )
        return value

    @field_validator("horizons")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if list(value) != sorted(set(value)) or value[0] < 1:
            raise ValueError("horizons rise from at least 1, each once")
        return value

    @field_validator("seasons")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise ValueError("season lengths are whole numbers from 1")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Block:
        if (self.reader == "embedded") == bool(self.originals):
            raise ValueError("either the reader is 'embedded' or there are originals to read")
        return self


class Front(_Strict):
    """The head of a card: keys of a Hugging Face dataset card and the ``tsgap:`` block."""

    pretty_name: str
    license: str
    license_link: str | None = None
    task_categories: tuple[Literal["time-series-forecasting"]] = Field(strict=False)
    size_categories: tuple[str, ...] = Field(strict=False)
    source_datasets: tuple[str, ...] = Field(strict=False)
    tags: tuple[str, ...] = Field(strict=False)
    tsgap: Block


class Card(_Strict):
    """A parsed card: its head, and the text below it."""

    front: Front
    body: str

    @property
    def id(self) -> str:
        """The name that the data set is asked for by."""
        return self.front.tsgap.id

    @property
    def freq(self) -> str:
        """Frequency of the panel."""
        return self.front.tsgap.freq

    @property
    def seasons(self) -> tuple[int, ...]:
        """Season lengths in steps, the main one first."""
        return self.front.tsgap.seasons

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons in steps that suit the data."""
        return self.front.tsgap.horizons

    @property
    def windows(self) -> int:
        """How many forecast origins suit the data."""
        return self.front.tsgap.windows


def parse(text: str, *, where: str = "card") -> Card:
    """The card that a text is; DataError with one line about the first thing that is wrong."""
    if len(text.encode()) > LARGEST:
        raise DataError(f"{where}: {len(text.encode())} bytes; a data card has at most {LARGEST}")
    found = re.match(r"---\n(.*?\n)---\n(.*)\Z", text.replace("\r\n", "\n"), flags=re.DOTALL)
    if found is None:
        raise DataError(f"{where}: a card begins with a head between two lines '---'")
    try:
        for event in yaml.parse(found[1], Loader=_loader()):
            if isinstance(event, yaml.AliasEvent):
                raise yaml.YAMLError(f"aliases are not allowed, found one:{event.start_mark}")
        head = yaml.load(found[1], Loader=_loader())
    except yaml.YAMLError as err:
        raise DataError(f"{where}: the head is not plain YAML: {' '.join(str(err).split())}") from err
    try:
        card = Card(front=Front.model_validate(head), body=found[2])
    except ValidationError as err:
        first = err.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where}: {err.error_count()} faults in the head, first {place!r}: {first['msg']}") from err
    headings = re.findall(r"^## (.+?)\s*$", card.body, flags=re.MULTILINE)
    absent = [h for h in HEADINGS if h not in headings]
    if absent:
        raise DataError(f"{where}: the headings {', '.join(absent)} are missing")
    return card


def card_text(id: str) -> str:
    """The text of a first-party card; UnknownNameError where there is none of that id."""
    folder = _folder()
    known = sorted(p.stem for p in folder.glob("*.md"))
    if id not in known:
        raise UnknownNameError.of("data card", id, known)
    return (folder / f"{id}.md").read_text(encoding="utf-8")


@cache
def cards() -> Mapping[str, Card]:
    """The first-party cards by id."""
    found = {}
    for path in sorted(_folder().glob("*.md")):
        card = parse(path.read_text(encoding="utf-8"), where=path.name)
        if card.id != path.stem:
            raise DataError(f"{path.name}: the id {card.id!r} and the name of the file differ")
        found[card.id] = card
    return found


def _folder() -> Path:
    """Where the cards lie: in the package of an installed wheel, else beside the package of a checkout."""
    package = Path(str(resources.files("tsgap")))
    for folder in (package / "data_cards", package.parent / "data_cards"):
        if folder.is_dir():
            return folder
    raise DataError(f"no folder data_cards in {package} or beside it; the installation is not complete")


@cache
def _loader() -> Any:
    """YAML's safe loader with an error for a key that is there twice."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [self.construct_object(k, deep=True) for k, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.MarkedYAMLError(problem=f"the key {key!r} is there twice", problem_mark=node.start_mark)
            return super().construct_mapping(node, deep=deep)

    return Loader
