"""A Go program before it runs: its functions, their tables, its build information."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from harness.arch import arch_for
from harness.errors import BinaryError, Unsupported
from harness.gobinary.buildinfo import BuildInfo, read_build_id, read_build_info
from harness.gobinary.image import ElfImage
from harness.gobinary.moduledata import find_pclntab
from harness.gobinary.pclntab import Function

_SAFE = -1  # UnsafePointSafe in internal/abi/symtab.go
_LONGEST = 1 << 20  # bytes of code in one function
_SYSTEMS = {2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}  # EI_OSABI of elf(5)


class GoBinary:
    """A Go executable. Addresses are link-time addresses: add load_bias for a running process.

    Everything comes from tables that stripping leaves in place. Each error is a BinaryError, but
    Unsupported where the program is too old for debug calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.image = ElfImage(path)
        self.goarch = self.image.goarch
        self.pie = self.image.pie
        self._check_system()
        self._check_age()
        self._table = find_pclntab(self.image)
        #: Link-time addresses of the code that the function table describes.
        self.text = range(self._table.entry(0), self._table.entry(self._table.count))
        self._found: dict[str, tuple[Function, ...]] = {}

    @cached_property
    def _info(self) -> BuildInfo:
        return read_build_info(self.image)

    @property
    def go_version(self) -> str:
        """The version as runtime.Version gives it; 'unknown' if the program does not say."""
        return self._info.version

    @property
    def settings(self) -> Mapping[str, str]:
        """Build settings such as GOAMD64 or -race; empty before Go 1.18."""
        return self._info.settings

    @cached_property
    def build_id(self) -> str:
        """Go's build id; '' if the program has none."""
        return read_build_id(self.image)

    def function(self, name: str) -> Function:
        """The function of this full name, such as `runtime.schedule`.

        Of twins it is the one that is no wrapper. Raises BinaryError if there is none.
        """
        found = self.functions(name)
        if not found:
            raise self._missing(name)
        # The linker places wrappers last, and the number that marks them (FuncIDWrapper in
        # internal/abi/symtab.go) has always been the highest.
        return min(found, key=lambda function: (function.func_id, function.entry))

    def functions(self, name: str) -> tuple[Function, ...]:
        """All functions of this name, the ABI0 and ABIInternal twins; empty if there is none."""
        if name not in self._found:
            self._found[name] = tuple(self._table.named(name))
        return self._found[name]

    def find(self, pc: int) -> Function | None:
        """The function that holds `pc`, as the runtime's findfunc sees it; None outside Go code."""
        index = self._table.index(pc)
        return None if index is None else self._table.function(index)

    def code(self, function: Function) -> bytes:
        """The instructions of a function, without the padding behind them."""
        ends = [hi for _, hi, _ in self._table.frame_runs(function)]
        end = ends[-1] if ends else function.end
        if end - function.entry > _LONGEST:
            raise self.image.damaged(f"{function.name} is too long to be real")
        return self.image.read(function.entry, end - function.entry)

    def unsafe_point(self, function: Function, pc: int) -> int:
        """PCDATA_UnsafePoint at `pc`, looked up as debugCallCheck does; -1 is safe.

        Source: runtime/debugcall.go. Anywhere but at the entry it looks at the byte before.
        """
        target = pc if pc == function.entry else pc - 1
        for lo, hi, value in self._table.unsafe_runs(function):
            if lo <= target < hi:
                return value
        return _SAFE

    def has_locals_map(self, function: Function) -> bool:
        """Whether the garbage collector knows the function's locals; assembly mostly has no map."""
        return self._table.has_locals_map(function)

    def after_prologue(self, function: Function) -> int:
        """The first statement boundary behind the prologue where a debug call is accepted.

        The frame is set up there. The entry, if the function has no frame. Raises BinaryError if
        the function has no such place.
        """
        frame = list(self._table.frame_runs(function))
        size = max((value for _, _, value in frame), default=0)
        if size <= 0:
            return function.entry
        ready = next(lo for lo, _, value in frame if value == size)
        boundaries = [lo for lo, _, _ in self._table.line_runs(function) if lo >= ready]
        for pc in [*boundaries, ready]:
            if self.unsafe_point(function, pc) == _SAFE:
                return pc
        raise BinaryError(
            f"{function.name} in {self.path} has no point where a debug call is accepted",
            mend="choose another function to stop in",
        )

    def _missing(self, name: str) -> BinaryError:
        if not self.functions("runtime.main") and not self.functions("runtime.schedule"):
            return BinaryError(
                f"{self.path} has no function {name}, nor the runtime's others: its names were "
                "obfuscated",
                mend="build it without an obfuscator such as garble",
            )
        if name.startswith("runtime."):
            return BinaryError(
                f"{self.path} ({self.go_version}) has no function {name}",
                mend="build it with an unchanged Go release",
            )
        names = self._table.all_names()
        if name in names:
            return BinaryError(
                f"{self.path} has no function {name}: the compiler inlined it everywhere",
                mend="mark it with //go:noinline",
            )
        near = self._near(name, names)
        return BinaryError(
            f"{self.path} has no function {name}",
            mend=f"give {' or '.join(near)}"
            if near
            else "give its full name, such as main.(*Server).handle; or, if the linker left it out "
            "as dead code, let the program call it",
        )

    def _near(self, name: str, names: list[str]) -> list[str]:
        """Return the functions of the same package, or of the same last name, that are like it."""
        from difflib import get_close_matches

        package, _, last = name.rpartition(".")
        alike = [n for n in names if n.startswith(f"{package}.") or n.endswith(f".{last}")]
        return [found for found in get_close_matches(name, alike) if self.functions(found)]

    def _check_system(self) -> None:
        system = self.settings.get("GOOS") or _SYSTEMS.get(self.image.data[7], "linux")
        if system not in {"linux", "android"}:
            raise BinaryError(
                f"{self.path} is a program for {system}", mend="build it with GOOS=linux"
            )

    def _check_age(self) -> None:
        release = re.match(r"(?:devel )?go1\.(\d{1,4})", self.go_version)
        first = arch_for(self.goarch).first_go
        if release is not None and (1, int(release[1])) < first:
            needed = ".".join(map(str, first))
            raise Unsupported(
                f"{self.path} was built by {self.go_version}, whose runtime has no debugCallV2 on "
                f"{self.goarch}: it came with Go {needed}",
                mend=f"build it with Go {needed} or later",
            )


def open_binary(path: Path) -> GoBinary:
    """Open a Go executable.

    Raises BinaryError if it is none that can be examined, Unsupported if it is too old.
    """
    binary = GoBinary(path)
    binary.function("runtime.debugCallV2")
    return binary
