"""A debugger harness for Go's debug calls (runtime.debugCallV2)."""

__version__ = "0.1.0"
