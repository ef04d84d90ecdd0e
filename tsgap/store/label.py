"""The JSON files of a run folder, and the label among them: which layout the folder has, and who wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tsgap
from tsgap.errors import StoreError
from tsgap.store.files import explained

#: Version of the layout; a folder of a newer one is refused.
SCHEMA = 1
#: The file that makes a folder a run folder.
LABEL = "store.json"
_KIND = "tsgap run"


def label() -> dict[str, Any]:
    """What the label of a new run folder says."""
    return {"kind": _KIND, "schema": SCHEMA, "created_by": f"tsgap {tsgap.__version__}"}


def check_label(path: Path) -> None:
    """`StoreError` where a file is not a label, or that of a newer layout."""
    found = loaded(path)
    schema = found.get("schema") if isinstance(found, dict) and found.get("kind") == _KIND else None
    if not isinstance(schema, int):
        raise StoreError(f"{path} is not the label of a run folder")
    if schema > SCHEMA:
        raise StoreError(
            f"{path.parent} was written by {found.get('created_by')} in layout {schema}; this is tsgap "
            f"{tsgap.__version__}, which knows layouts up to {SCHEMA}; use a newer tsgap"
        )


def pretty(value: Any) -> bytes:
    """A value as JSON that people can read."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def loaded(path: Path) -> Any:
    """What a JSON file says; `StoreError` where it cannot be read or is no JSON."""
    with explained(f"cannot read {path}"):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except ValueError as err:
        raise StoreError(f"{path} is damaged: {err}") from err
