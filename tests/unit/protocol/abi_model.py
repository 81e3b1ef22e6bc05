"""A model of Go's register ABI for functions of ints alone, written from its specification.

Source: Go's cmd/compile/abi-internal.md, the pseudo code that assigns each value to a register or
to the stack. It is written value by value, as there, to share no arithmetic with the harness.
"""

from collections.abc import Sequence

INTEGERS = {
    "amd64": ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11"),
    "arm64": tuple(f"x{n}" for n in range(16)),
}
"""The registers of integers. On amd64 the frame begins at SP at a trap, on arm64 8 bytes above."""
FRAME_ABOVE_SP = {"amd64": 0, "arm64": 8}


class Assigned:
    """Where each argument and result is: a register's name, or bytes from the frame's start."""

    def __init__(self, registers: Sequence[str], arguments: int, results: int) -> None:
        self.size = 0
        self.arguments = self._assign(registers, arguments)
        self.results = self._assign(registers, results)
        for place in self.arguments:
            if isinstance(place, str):
                self.size += 8  # the spill area: arguments that are in registers, and no results

    def _assign(self, registers: Sequence[str], number: int) -> list[str | int]:
        free, places = list(registers), list[str | int]()
        for _ in range(number):
            if free:
                places.append(free.pop(0))
            else:
                places.append(self.size)
                self.size += 8
        return places
