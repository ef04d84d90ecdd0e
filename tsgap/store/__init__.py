"""What a run leaves on disk: immutable, sealed parts by content key, with tables and JSON beside them."""

from __future__ import annotations

from tsgap.store.folder import Store
from tsgap.store.label import SCHEMA
from tsgap.store.part import STATUSES, Head, Part

__all__ = ["SCHEMA", "STATUSES", "Head", "Part", "Store"]
