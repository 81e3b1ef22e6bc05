"""What the harness does to the timing of a call; one module each, behind `debugcall`'s Timing."""

from harness.schedule.delay import Delay
from harness.schedule.natural import Natural, volley
from harness.schedule.steal import Steal

__all__ = ["Delay", "Natural", "Steal", "volley"]
