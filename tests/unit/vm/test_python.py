import marshal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import GuestError, HarnessError
from harness.vm.python import NEEDED, harness_tree, lock_file, locked, site_archive, with_byte_code
from harness.vm.tree import file

HOST = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCK = """\
alpha==1.0 \\
    --hash=sha256:01 \\
    --hash=sha256:02
    # via project
alpha-beta==2.0 ; python_version < "4" \\
    --hash=sha256:03
    # via
    #   alpha
"""


def test_the_lines_of_a_lock_that_are_about_one_distribution() -> None:
    assert (
        locked(["alpha"], LOCK) == "alpha==1.0 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    )
    assert locked(["alpha-beta"], LOCK).splitlines()[1:] == ["    --hash=sha256:03"]
    assert locked(["alpha", "alpha-beta", "alpha"], LOCK).count("==") == 2


def test_a_distribution_that_is_not_locked() -> None:
    with pytest.raises(GuestError, match="does not have gamma"):
        locked(["alpha", "gamma"], LOCK)


def test_the_project_has_locked_what_the_guest_needs() -> None:
    lines = locked(NEEDED, lock_file().read_text())
    assert lines.count("==") == len(NEEDED)
    assert lines.count("--hash=sha256:") > len(NEEDED)


def test_byte_code_for_the_same_python_is_what_the_source_says() -> None:
    tree = with_byte_code({"site/x.py": file(b"value = 6 * 7")}, HOST)
    code = tree[f"site/__pycache__/x.cpython-{HOST.replace('.', '')}.pyc"].content
    names: dict[str, int] = {}
    exec(marshal.loads(code[16:]), names)  # noqa: S102, S302 - byte code of our own
    assert names["value"] == 42
    assert tree["site/x.py"].content == b"value = 6 * 7"


def test_no_byte_code_for_another_python_or_for_what_does_not_compile() -> None:
    assert list(with_byte_code({"x.py": file(b"value = 1")}, "3.2")) == ["x.py"]
    assert list(with_byte_code({"x.py": file(b"print 1")}, HOST)) == ["x.py"]


def test_another_python_compiles_for_itself(
    program: Callable[[str, str], Path],
) -> None:
    """The one that runs the tests stands for it, under the name of one that never was."""
    program("python3.2", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    tree = {"a.py": file(b"value = 1"), "b.py": file(b"print 1"), "c.txt": file(b"")}
    complete = with_byte_code(tree, "3.2")
    assert set(complete) == {*tree, "__pycache__/a.cpython-32.pyc"}
    same = with_byte_code(tree, HOST)[f"__pycache__/a.cpython-{HOST.replace('.', '')}.pyc"]
    assert complete["__pycache__/a.cpython-32.pyc"] == same
    program("python3.2", "#!/bin/sh\nexit 127\n")
    assert with_byte_code(tree, "3.2") == tree


def test_the_harness_is_handed_in_without_what_stands_beside_it() -> None:
    tree = harness_tree("3.2")
    package = "usr/lib/python3/dist-packages/harness"
    source = Path(__file__).parents[3] / "harness" / "debugcall" / "session.py"
    assert tree[f"{package}/debugcall/session.py"].content == source.read_bytes()
    assert {Path(path).suffix for path in tree} == {".py"}


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ("ERROR: No matching distribution", GuestError, "No matching distribution"),
        ("OSError: No space left on device", HarnessError, "disk is full"),
    ],
)
def test_pip_that_fails(
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    empty_cache: Path,
    says: str,
    error: type[HarnessError],
    words: str,
) -> None:
    python = program("python", f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(error, match=words):
        site_archive(NEEDED, "3.11")
    assert not list(empty_cache.glob("vm/site/*/build-*")), "a folder was left behind"
