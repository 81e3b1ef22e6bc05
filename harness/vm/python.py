"""Python in the guest: locked wheels, this package, and byte code for what was read as source.

The guest would compile what it imports at each boot anew, and under emulation that takes long.
"""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.cache import built_once, no_room
from harness.errors import GuestError
from harness.vm import bytecode
from harness.vm.tree import Entry, Tree, file, from_host, place, write_archive

SITE = "/usr/lib/python3/dist-packages"
"""Where Debian's Python looks for packages."""

NEEDED = ("msgspec", "python-ptrace")
"""The distributions that the harness needs in the guest."""

_PACKAGE = Path(__file__).resolve().parent.parent
HOST = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that runs here, such as `3.11`."""


def harness_tree(python: str) -> Tree:
    """Return this package as it is now, for a guest with that Python (`3.11`)."""
    sources = (
        (path, entry)
        for path, entry in from_host(_PACKAGE, f"{SITE}/harness")
        if path.endswith(".py")
    )
    return with_byte_code(dict(sources), python)


def with_byte_code(tree: Tree, python: str) -> Tree:
    """Return the tree with byte code for each Python source, if that Python is on this machine."""
    sources = [(f"/{path}", entry.content) for path, entry in tree.items() if path.endswith(".py")]
    tag = f"cpython-{python.replace('.', '')}"
    complete = dict(tree)
    for (path, _), code in zip(sources, _compiled(sources, python), strict=True):
        if code is not None:
            where = Path(path)
            complete[place(f"{where.parent}/__pycache__/{where.stem}.{tag}.pyc")] = file(code)
    return complete


def _compiled(sources: Sequence[tuple[str, bytes]], python: str) -> Sequence[bytes | None]:
    if python == HOST:
        return [bytecode.compiled(*source) for source in sources]
    interpreter = shutil.which(f"python{python}")
    if interpreter is not None:
        done = subprocess.run(
            [interpreter, "-I", bytecode.__file__],
            input=bytecode.packed(sources),
            capture_output=True,
            check=False,
        )
        if not done.returncode:
            return bytecode.unpacked(done.stdout)
    return [None] * len(sources)


def site_archive(distributions: Sequence[str], python: str) -> Path:
    """Return an archive of wheels for the guest, in the versions that the project has locked.

    They are fetched by pip, as the user has it set up, and checked against the hashes of
    requirements.lock. Raises GuestError if they cannot be had.
    """
    requirements = locked(distributions, lock_file().read_text())
    key = hashlib.sha256(f"{python}\0{HOST}\0{requirements}".encode()).hexdigest()[:32]

    def build(folder: Path) -> None:
        wheels = folder / "wheels"
        wheels.mkdir()
        _download(requirements, wheels, python)
        tree: Tree = {}
        for wheel in sorted(wheels.iterdir()):
            tree.update(_content_of(wheel))
            wheel.unlink()
        wheels.rmdir()
        with (folder / "site.cpio").open("wb") as stream:
            write_archive(with_byte_code(tree, python), stream)

    return built_once("vm", "site", key, build=build) / "site.cpio"


def lock_file() -> Path:
    """Return the lock: a wheel carries it inside the package, in a checkout it stands beside."""
    inside = _PACKAGE / "requirements.lock"
    return inside if inside.is_file() else _PACKAGE.parent / "requirements.lock"


def locked(distributions: Sequence[str], lock: str) -> str:
    """Return the lines of a lock (`name==1.2 --hash=...`) that are about these distributions."""
    entries: Mapping[str, str] = dict(
        re.findall(r"^([\w.-]+)(==\S+ (?:.*\n[ ]+--hash=\S+)+)", lock, re.MULTILINE)
    )
    missing = set(distributions) - set(entries)
    if missing:
        raise GuestError(
            f"requirements.lock does not have {', '.join(sorted(missing))}", mend="scripts/lock"
        )
    return "".join(f"{name}{entries[name]}\n" for name in sorted(set(distributions)))


def _download(requirements: str, wheels: Path, python: str) -> None:
    (wheels / "lock").write_text(requirements)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", wheels / "lock"),
            *("--platform", "manylinux2014_aarch64", "--implementation", "cp"),
            *("--python-version", python, "--dest", wheels),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        if "No space left on device" in done.stderr:
            raise no_room(wheels)
        said = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise GuestError(
            f"pip cannot fetch the guest's Python packages: {said}",
            mend="check the network and `pip config list`; without pip: python3 -m ensurepip",
        )
    (wheels / "lock").unlink()


def _content_of(wheel: Path) -> Iterator[tuple[str, Entry]]:
    with zipfile.ZipFile(io.BytesIO(wheel.read_bytes())) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and ".data/" not in name:
                yield place(f"{SITE}/{name}"), file(archive.read(name))
