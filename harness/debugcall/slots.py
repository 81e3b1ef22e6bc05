"""Which hardware breakpoint of each thread serves what. A thread has four."""

CALL_SLOT = 0
"""The injecting thread's way through a schedule."""
HANDBACK_SLOT = 1
"""Every thread, for as long as a schedule lasts."""
SEEK_SLOTS = (0, 2, 3)
"""Every thread, until one can take a call. No call is under way then, so the first is free."""
