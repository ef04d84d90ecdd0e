"""Files, frames and arrays of windows to data sets; training parts back to files."""

from tsgap.readers.options import ReadOptions
from tsgap.readers.real import read_real

__all__ = ["ReadOptions", "read_real"]
