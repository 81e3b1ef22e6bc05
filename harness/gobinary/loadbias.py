"""Where a running process has its program."""

import os
import re

from harness.errors import BinaryError
from harness.gobinary.binary import GoBinary

# Fields of a line in /proc/PID/maps: proc_pid_maps(5).
_LINE = re.compile(
    r"([0-9a-f]{1,16})-([0-9a-f]{1,16}) (....) ([0-9a-f]{1,16}) \S+ (\d{1,20}) *(.*)"
)
_PAGE = 0xFFF


def load_bias(binary: GoBinary, maps: str) -> int:
    """What to add to a link-time address, from the text of /proc/PID/maps; 0 if not PIE.

    Looks for the mapping of the segment with Go's code; where shared libraries have one of the same
    place in their files too, the file's identity decides. Raises BinaryError if there is no such
    mapping: the process runs another program.
    """
    if not binary.pie:
        return 0
    segment = binary.image.segment(binary.text.start)
    start = segment.address & ~_PAGE
    size = (segment.address + segment.size + _PAGE & ~_PAGE) - start
    found = [
        (int(lo, 16) - start, int(inode), path)
        for lo, hi, access, offset, inode, path in _LINE.findall(maps)
        if access[2] == "x"
        and int(offset, 16) == segment.offset & ~_PAGE
        and int(hi, 16) - int(lo, 16) == size
        and path.startswith("/")
    ]
    try:
        inode = binary.path.stat().st_ino
    except OSError:
        inode = 0
    resolved = os.path.realpath(binary.path)
    # The file of a container may have another path, one on an overlay another inode number.
    for same in (
        [bias for bias, number, _ in found if number == inode],
        [bias for bias, _, path in found if path == resolved],
        [bias for bias, _, _ in found],
    ):
        if len(same) == 1:
            return same[0]
    raise BinaryError(
        f"the process has no mapping of the code of {binary.path}: it runs another program, or the "
        "file was replaced after it started",
        mend="give the path of the program that runs: /proc/PID/exe",
    )
