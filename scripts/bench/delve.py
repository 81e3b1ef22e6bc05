"""Calls main.add(2, 3) N times through Delve's JSON-RPC API and prints one line of JSON.

    python3 scripts/bench/delve.py [N] [GO]
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

import programs

ANNOUNCEMENT = "API server listening at: "


class Delve:
    """One headless dlv with a target of its own; both end with the `with` block."""

    def __init__(self, dlv: str, binary: str) -> None:
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

    def __enter__(self) -> Delve:
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

    def request(self, method: str, **arguments: Any) -> Any:
        self._calls += 1
        message = {"method": f"RPCServer.{method}", "params": [arguments], "id": self._calls}
        self._socket.sendall(json.dumps(message).encode())
        answer = json.loads(self._answers.readline())
        if answer["error"]:
            raise SystemExit(f"dlv: {answer['error']}")
        return answer["result"]

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


def measure(n: int, go: str) -> dict[str, object]:
    binary = programs.target(go, optimised=False).binary
    with Delve(str(programs.delve(go)), str(binary)) as dlv:
        made = dlv.request("CreateBreakpoint", Breakpoint={"functionName": "main.round"})
        dlv.request("Command", name="continue")
        dlv.request("ClearBreakpoint", Id=made["Breakpoint"]["id"])
        start = time.perf_counter()
        for _ in range(n):
            answer = dlv.request(
                "Command",
                name="call",
                expr="main.add(2, 3)",
                ReturnInfoLoadConfig={"FollowPointers": False},
            )
            values = answer["State"]["currentThread"]["ReturnValues"]
            if [value["value"] for value in values] != ["5"]:
                raise SystemExit(f"main.add(2, 3) gave {values}")
        seconds = time.perf_counter() - start
    return {"name": "delve", "injections": n, "seconds": seconds, "per_second": n / seconds}


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(json.dumps(measure(count, sys.argv[2] if len(sys.argv) > 2 else "go")))
