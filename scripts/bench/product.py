"""Calls main.add(2, 3) N times from one stop with the harness itself; prints one line of JSON.

.venv/bin/python scripts/bench/product.py [N] [GO]
"""

import json
import sys
import time
from pathlib import Path

import programs

from harness import Callee, Recorder, Session, judge, volley
from harness.experiment.gotarget import GoTarget
from harness.toolchain import find_toolchain

ADD = Callee("main.add", (2, 3), (5,))


def measure(n: int, binary: Path) -> dict[str, object]:
    """Call N times from one stop, under the schedule that does nothing."""
    with Recorder() as recorder, GoTarget(binary, recorder) as target:
        target.await_ready()
        seconds = _inject(target.session, n)
        target.finish()
    return {"name": "product", "injections": n, "seconds": seconds, "per_second": n / seconds}


def _inject(session: Session, n: int) -> float:
    caller = session.seek([session.site("main.round")], limit=10)
    if caller is None:
        raise SystemExit("the target never came by main.round")
    start = time.perf_counter()
    volley(session, caller, ADD, n)
    seconds = time.perf_counter() - start
    session.release(caller)
    if breaches := judge(session.recorder.recording()).breaches:
        raise SystemExit(f"the calls went wrong: {breaches}")
    return seconds


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(json.dumps(measure(count, programs.target(find_toolchain(*sys.argv[2:])))))
