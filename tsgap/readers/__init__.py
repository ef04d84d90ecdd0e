"""Files, frames and arrays of windows to data sets; training parts back to files."""

from tsgap.readers.options import ReadOptions
from tsgap.readers.real import read_real
from tsgap.readers.synthetic import read_synthetic

__all__ = ["ReadOptions", "read_real", "read_synthetic"]
