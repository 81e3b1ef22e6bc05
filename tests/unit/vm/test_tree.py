import io
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.vm.tree import FOLDER, Entry, Tree, file, from_host, link, place, write_archive
from tests.lacking import lacking


def archive(tree: Tree) -> bytes:
    stream = io.BytesIO()
    write_archive(tree, stream)
    return stream.getvalue()


def test_an_archive_to_the_byte() -> None:
    assert archive({"a": file(b"hello")}) == (
        b"070701"
        b"00000001000081A40000000000000000000000010000000000000005"
        b"000000000000000000000000000000000000000200000000"
        b"a\0hello\0\0\0"
        b"070701"
        b"00000000000000000000000000000000000000010000000000000000"
        b"000000000000000000000000000000000000000B00000000"
        b"TRAILER!!!\0\0\0\0"
    )  # fmt: skip


def test_the_systems_cpio_reads_it_and_another_one_after_it(tmp_path: Path) -> None:
    if shutil.which("cpio") is None:
        lacking("there is no cpio here", "apt-get install cpio")
    contents = {f"deep/er/{size}": file(bytes(range(size))) for size in range(9)}
    tree = contents | {"run": file(b"#!/bin/sh\n", executable=True), "to": link("deep/er/3")}
    written = tmp_path / "archive"
    written.write_bytes(archive(tree))
    names = ["cpio", "--extract", "--quiet", "--no-absolute-filenames"]
    subprocess.run([*names, "-I", written], cwd=tmp_path, check=True)
    for path, entry in contents.items():
        assert (tmp_path / path).read_bytes() == entry.content
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "deep" / "er" / "3").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "to").readlink() == Path("deep/er/3")


def test_archives_are_padded_so_that_they_can_be_joined() -> None:
    for size in range(9):
        assert len(archive({"x" * (size + 1): file(b"y" * size)})) % 4 == 0


def test_a_folder_that_only_occurs_in_a_path_is_made_before_what_is_in_it() -> None:
    whole = archive({"b/c/d": file(b"")})
    assert whole == archive({"b/c/d": file(b""), "b": FOLDER, "b/c": FOLDER})
    assert whole.index(b"b\0") < whole.index(b"b/c\0") < whole.index(b"b/c/d\0")


@pytest.mark.parametrize(
    ("path", "placed"),
    [
        ("/a/b", "a/b"),
        ("./a//b/", "a/b"),
        ("/lib/x.so", "usr/lib/x.so"),
        ("bin/sh", "usr/bin/sh"),
        ("/lib", "lib"),
        ("usr/lib/x", "usr/lib/x"),
        ("library/x", "library/x"),
    ],
)
def test_each_file_has_one_place(path: str, placed: str) -> None:
    assert place(path) == placed


@pytest.mark.parametrize("path", ["", "/", ".", "a/../b", ".."])
def test_a_path_that_is_no_place(path: str) -> None:
    with pytest.raises(InputError, match="no place for a file"):
        place(path)


def test_a_folder_of_the_host_without_byte_code_and_hidden_files(tmp_path: Path) -> None:
    for name in ("in/a.py", "in/__pycache__/a.pyc", "in/.git/HEAD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "run").write_text("x")
    (tmp_path / "run").chmod(0o755)
    assert dict(from_host(tmp_path, "/job")) == {
        "job": FOLDER,
        "job/in": FOLDER,
        "job/in/a.py": Entry(0o100644, b"in/a.py"),
        "job/run": Entry(0o100755, b"x"),
    }


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nonesuch for the guest: No such file"):
        dict(from_host(tmp_path / "nonesuch", "/x"))
