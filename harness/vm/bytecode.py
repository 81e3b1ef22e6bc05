"""Compiles Python sources, for a guest that would take ten times as long.

Byte code is that of one minor version of Python, so this file also runs by itself, in another one:
it imports nothing of the harness. Then paths and sources come on stdin, and byte code goes out.
"""

import marshal
import sys
import warnings
from collections.abc import Sequence
from importlib.util import MAGIC_NUMBER, source_hash

_MARSHAL = 2  # a version of the format that all Pythons write and read


def compiled(path: str, source: bytes) -> bytes | None:
    """Return the content of a .pyc; None if the source is not for this Python.

    It is an "unchecked hash-based" one (PEP 552), so the guest's clock does not matter.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = compile(source, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return None
    return MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)


def packed(sources: Sequence[tuple[str, bytes]]) -> bytes:
    """Return what this file reads when it runs by itself."""
    return marshal.dumps(list(sources), _MARSHAL)


def unpacked(output: bytes) -> list[bytes | None]:
    """Return what it wrote: for each source its byte code."""
    return list(marshal.loads(output))  # noqa: S302 - an interpreter of the user's wrote it


if __name__ == "__main__":
    given = marshal.load(sys.stdin.buffer)  # noqa: S302 - the harness wrote it
    sys.stdout.buffer.write(marshal.dumps([compiled(*source) for source in given], _MARSHAL))
