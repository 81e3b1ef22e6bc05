"""Calls main.add(2, 3) N times from one stop with the harness itself; prints one line of JSON.

.venv/bin/python scripts/bench/product.py [N] [GO]
"""

import json
import sys
import time
from pathlib import Path

from harness import Callee, Recorder, Session, judge, volley
from harness.experiment.gotarget import GoTarget
from harness.toolchain import find_toolchain
from scripts.bench import programs
from scripts.bench.ending import ended, number_and_go

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


def main() -> int:
    """Measure and print; return 0."""
    number, go = number_and_go((__doc__ or "").partition("\n")[0], 2000)
    print(json.dumps(measure(number, programs.target(find_toolchain(go)))))
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
