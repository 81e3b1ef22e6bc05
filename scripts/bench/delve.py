"""Calls main.add(2, 3) N times through Delve's JSON-RPC API and prints one line of JSON.

.venv/bin/python scripts/bench/delve.py [N] [GO]
"""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.toolchain import Toolchain, find_toolchain
from scripts.bench import programs
from scripts.bench.ending import ended, number_and_go

ANNOUNCEMENT = "API server listening at: "


class Delve:
    """One headless dlv with a target of its own; both end with the `with` block."""

    def __init__(self, dlv: Path, binary: Path) -> None:
        self._process = subprocess.Popen(
            [
                *(dlv, "exec", "--headless", "--api-version=2", "--check-go-version=false"),
                *("--listen=127.0.0.1:0", binary),
            ],
            stdin=subprocess.PIPE,  # the target's too: it ends at end of file
            stdout=subprocess.PIPE,
            text=True,
        )
        self._calls = 0

    def __enter__(self) -> Self:
        try:
            host, port = self._address()
            self._socket = socket.create_connection((host, port))
        except BaseException:
            self._end()
            raise
        self._answers = self._socket.makefile("r")
        return self

    def _address(self) -> tuple[str, int]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(ANNOUNCEMENT):
                host, _, port = line.removeprefix(ANNOUNCEMENT).strip().rpartition(":")
                return host, int(port)
        raise SystemExit("dlv ended before it listened")

    def request(self, method: str, **arguments: object) -> Any:  # noqa: ANN401 - dlv's JSON
        """Ask for one thing and wait for the answer. See service/rpc2 in Delve's tree."""
        self._calls += 1
        message = {"method": f"RPCServer.{method}", "params": [arguments], "id": self._calls}
        self._socket.sendall(json.dumps(message).encode())
        answer = json.loads(self._answers.readline())
        if answer["error"]:
            raise SystemExit(f"dlv: {answer['error']}")
        return answer["result"]

    def stop_at(self, function: str) -> None:
        """Let the target run until it comes by a function."""
        made = self.request("CreateBreakpoint", Breakpoint={"functionName": function})
        self.request("Command", name="continue")
        self.request("ClearBreakpoint", Id=made["Breakpoint"]["id"])

    def call(self, expression: str) -> list[str]:
        """Call a function where the target is stopped; return its results."""
        answer = self.request(
            "Command",
            name="call",
            expr=expression,
            ReturnInfoLoadConfig={"FollowPointers": False},
        )
        return [value["value"] for value in answer["State"]["currentThread"]["ReturnValues"]]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.request("Detach", Kill=True)  # ends the target
        finally:
            self._socket.close()
            self._end()

    def _end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.terminate()  # dlv then kills the target that it launched
            self._process.wait()


def measure(n: int, toolchain: Toolchain) -> dict[str, object]:
    """Call N times from one breakpoint."""
    binary = programs.unoptimised_target(toolchain)
    with Delve(programs.delve(find_toolchain()), binary) as dlv:
        dlv.stop_at("main.round")
        start = time.perf_counter()
        for _ in range(n):
            values = dlv.call("main.add(2, 3)")
            if values != ["5"]:
                raise SystemExit(f"main.add(2, 3) gave {values}")
        seconds = time.perf_counter() - start
    return {"name": "delve", "injections": n, "seconds": seconds, "per_second": n / seconds}


def main() -> int:
    """Measure and print; return 0."""
    number, go = number_and_go((__doc__ or "").partition("\n")[0], 200)
    print(json.dumps(measure(number, find_toolchain(go))))
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
