"""Where the integer arguments and results of a Go function are at a dispatch and at a return.

Source: Go's cmd/compile/abi-internal.md, "Function call argument and result passing".
"""

from collections.abc import Sequence
from itertools import repeat

from harness.arch import Arch, Memory, Registers

WORD = 8
_MASK = (1 << 64) - 1


class IntFrame:
    """The argument frame of a function that takes `arguments` ints and returns `results` ints.

    The first ones are in registers. The others lie on the stack, from the address that
    `Arch.data` tells: arguments, results, then room to spill the register arguments.
    """

    def __init__(self, arch: Arch, arguments: int, results: int) -> None:
        registers = len(arch.integer_registers)
        self._arch = arch
        self._argument_registers = arch.integer_registers[:arguments]
        self._result_registers = arch.integer_registers[:results]
        self._stack_arguments = max(0, arguments - registers)
        self._stack_results = max(0, results - registers)
        spill = len(self._argument_registers)
        self.size = WORD * (self._stack_arguments + self._stack_results + spill)
        """Bytes to ask debugCallV2 for."""

    def write(self, values: Sequence[int], trap: Registers, memory: Memory) -> None:
        """Put the arguments where the function expects them; `trap` is still to be written."""
        for name, value in zip(self._argument_registers, values, strict=False):
            setattr(trap, name, value)  # which takes it modulo 2^64
        if self._stack_arguments:
            rest = values[-self._stack_arguments :]
            data = b"".join((value & _MASK).to_bytes(WORD, "little") for value in rest)
            memory.write(self._arch.data(trap), data)

    def read(self, trap: Registers, memory: Memory) -> tuple[int, ...]:
        """Return the results at the return trap, as signed integers."""
        values = list(map(getattr, repeat(trap), self._result_registers))
        if self._stack_results:
            start = self._arch.data(trap) + WORD * self._stack_arguments
            data = memory.read(start, WORD * self._stack_results)
            values += [
                int.from_bytes(data[i : i + WORD], "little") for i in range(0, len(data), WORD)
            ]
        for place, value in enumerate(values):
            if value >> 63:
                values[place] -= 1 << 64
        return tuple(values)
