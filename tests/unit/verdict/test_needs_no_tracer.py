"""A recording is judged where neither ptrace's binding nor a disassembler can be loaded."""

import subprocess
import sys
from pathlib import Path

from harness.recording import Recorder
from tests import recordings

JUDGE = """
import sys
from pathlib import Path
from harness.experiment.verdict import judge
from harness.recording import load

print(judge(load(Path(sys.argv[1]))).result.value)
print(*sys.modules)
"""
FOREIGN = {"ptrace", "capstone", "elftools", "harness.tracer", "harness.gobinary", "harness.arch"}


def test_judging_loads_nothing_that_traces_or_reads_programs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Recorder(path) as recorder:
        for event in recordings.recording(recordings.refused()).events:
            recorder.add(event)
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    result, modules = done.stdout.splitlines()
    assert result == "pass"
    assert "harness.invariants" in modules.split()
    assert FOREIGN.isdisjoint(modules.split())
