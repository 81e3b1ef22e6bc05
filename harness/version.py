"""The version of the harness: recordings name it."""

__version__ = "0.1.0"
