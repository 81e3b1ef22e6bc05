"""A debugger harness for Go's debug calls (runtime.debugCallV2)."""
