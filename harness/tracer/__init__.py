"""Linux ptrace, and nothing of Go: a process, its threads, their stops, memory and breakpoints."""

from harness.tracer.process import Process
from harness.tracer.stops import Kind, Stop, Thread

__all__ = ["Kind", "Process", "Stop", "Thread"]
