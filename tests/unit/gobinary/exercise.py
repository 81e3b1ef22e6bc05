"""Everything that harness.gobinary does with a file, at once."""

from contextlib import suppress
from pathlib import Path

from harness.errors import BinaryError, Unsupported
from harness.gobinary import GoBinary, open_binary, static_layout, trap_sites

REFUSED = (BinaryError, Unsupported)


def exercise(path: Path) -> GoBinary | None:
    """Read all there is to read; None if the file is refused. Other exceptions go through."""
    try:
        binary = open_binary(path)
    except REFUSED:
        return None
    with suppress(*REFUSED):
        trap_sites(binary)
    with suppress(*REFUSED):
        static_layout(binary)
    with suppress(*REFUSED):
        assert binary.go_version
        assert dict(binary.settings) is not None
        assert binary.build_id is not None
    middle = (binary.text.start + binary.text.stop) // 2
    for pc in (0, binary.text.start, middle, binary.text.stop, 1 << 64):
        with suppress(*REFUSED):
            function = binary.find(pc)
            if function is not None:
                binary.has_locals_map(function)
                binary.unsafe_point(function, pc)
                binary.after_prologue(function)
                binary.code(function)
    return binary
