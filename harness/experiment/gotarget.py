"""A target of this project's own: its pipes, its hand-shake, its report."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.debugcall.session import UNKNOWN, Build, Session
from harness.errors import TargetError
from harness.recording import Recorder, Report

READY_LIMIT = 20.0
"""Seconds until "ready" must have come."""
END_LIMIT = 20.0
"""Seconds from the end of its stdin to its exit."""


class GoTarget:
    """A program under gotargets/, running under a session.

    It prints "ready", ends when its stdin does, and then reports as one line of JSON how many
    rounds of its computation there were, and how many came out wrong.
    """

    def __init__(
        self,
        binary: Path,
        recorder: Recorder,
        *,
        env: Mapping[str, str] | None = None,
        build: Build = UNKNOWN,
    ) -> None:
        child_stdin, self._stdin = os.pipe()
        self._stdout, child_stdout = os.pipe()
        os.set_blocking(self._stdout, False)
        self._output = b""
        try:
            self.session = Session.launch(
                [binary],
                recorder,
                env=env,
                stdin=child_stdin,
                stdout=child_stdout,
                own_session=True,
                build=build,
            )
        except BaseException:
            os.close(self._stdin)
            os.close(self._stdout)
            raise
        finally:
            os.close(child_stdin)
            os.close(child_stdout)

    def await_ready(self) -> None:
        """Let it run until it says that everything in it runs."""
        if self.session.run_until(self._is_ready, READY_LIMIT):
            return
        if self.session.process.exit_status is not None:
            ending = self.session.process.ending
            raise TargetError(f"the target ended before it was ready: {ending}")
        limit = READY_LIMIT * self.session.scale
        raise _late(f"the target did not say that it is ready in {limit:.0f} s")

    def finish(self) -> None:
        """Let it end its computation, and record its report and its exit."""
        os.close(self._stdin)
        self._stdin = -1
        session = self.session
        if not session.run_until(lambda: session.process.exit_status is not None, END_LIMIT):
            limit = END_LIMIT * session.scale
            raise _late(f"the target did not end within {limit:.0f} s of being asked to")
        self._read()
        _, _, last = self._output.strip().rpartition(b"\n")
        try:
            report = json.loads(last)
        except ValueError:
            if session.process.exit_status == 0:
                raise TargetError("the target ended without a report on its computation") from None
            return  # it died: the exit says so
        session.recorder.add(Report(t=session.clock(), **report))

    def _is_ready(self) -> bool:
        self._read()
        return self._output.startswith(b"ready\n")

    def _read(self) -> None:
        try:
            while data := os.read(self._stdout, 4096):
                self._output += data
        except BlockingIOError:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.session.__exit__(kind, _, __)
        os.close(self._stdout)
        if self._stdin >= 0:
            os.close(self._stdin)


def _late(what: str) -> TargetError:
    return TargetError(
        what, mend="on a slow machine allow more time: export DEBUGCALL_TIME_SCALE=4"
    )
