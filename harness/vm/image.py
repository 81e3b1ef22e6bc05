"""The guest's kernel and its base files, made once and kept in the cache."""

import hashlib
import lzma
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from harness.cache import built_once, cache_folder, remove_unused
from harness.errors import GuestError
from harness.vm.debian import OTHER_MACHINE, Apt, content_of
from harness.vm.python import HOST, with_byte_code
from harness.vm.tree import FOLDER, Entry, Tree, file, link, write_archive

KERNEL = "linux-image-cloud-arm64"
"""Debian's package that depends on its newest kernel for virtual machines."""

_LIBRARIES = ("libc6", "libexpat1", "libffi", "zlib1g")
"""What of Python's dependencies the guest needs; libgcc-s1 is wanted by libc at run time.

Not OpenSSL: hashlib has its own code, and loading libcrypto is slow under emulation.
"""

_DRIVERS = ("virtio_mmio", "virtio_blk")
"""Kernel modules for the disk on which files come back; what they depend on is taken too."""

_LEFT_OUT = re.compile(
    r"usr/share/|usr/lib/aarch64-linux-gnu/gconv/"
    r"|usr/lib/python3[.\d]*/lib-dynload/_(codecs_|ctypes_test|test)"
    r"|usr/lib/python3[.\d]*/(config-|ensurepip|idlelib|lib2to3|pydoc_data|test|tkinter|turtledemo)"
)
_MAKERS = ("bytecode.py", "debian.py", "image.py", "python.py", "tree.py")


class Image(msgspec.Struct, frozen=True):
    """A kernel and the first archive of files, with the packages that they are made of."""

    kernel: Path
    base: Path
    python: str
    """Minor version of the guest's Python, such as `3.11`."""
    packages: tuple[str, ...]
    """Names and versions, such as `libc6 2.36-9+deb12u13`."""


class _Manifest(msgspec.Struct, frozen=True):
    python: str
    packages: tuple[str, ...]


def is_made() -> bool:
    """Tell whether the image is in the cache."""
    return (cache_folder() / "vm" / "image" / _key() / "built").is_dir()


def image(hear: Callable[[str], None]) -> Image:
    """Return the guest's image; make it if there is none, which `hear` is told.

    It is made anew when these modules change, or the Python that runs them. Until then it stays as
    it is, whatever Debian releases meanwhile, so that measurements are made with one kernel; to
    have a newer one, remove the folder `vm/image` in the cache. Older ones go when it is made.
    Raises GuestError.
    """

    def build(folder: Path) -> None:
        remove_unused("vm", "image")
        remove_unused("vm", "site")
        hear("making the arm64 guest of Debian's packages, once: 40 MB to fetch")
        _build(folder)

    folder = built_once("vm", "image", _key(), build=build)
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Manifest)
    return Image(folder / "kernel", folder / "base.cpio", manifest.python, manifest.packages)


def _key() -> str:
    digest = hashlib.sha256(HOST.encode())
    for name in _MAKERS:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:32]


def _build(folder: Path) -> None:
    with TemporaryDirectory(dir=folder.parent) as scratch:
        apt = Apt(Path(scratch))
        python, names = _packages(apt)
        packages = apt.download(names)
        files: Tree = {}
        for package in packages:
            if package.name.startswith("linux-image-"):
                modules = _kernel(package, folder / "kernel")
            else:
                files.update(content_of(package))
    files = {path: entry for path, entry in files.items() if not _LEFT_OUT.search(path)}
    files.update(_layout(python))
    for number, module in enumerate(in_order(modules, _DRIVERS)):
        files[f"modules/{number}.ko"] = file(module)
    with (folder / "base.cpio").open("wb") as stream:
        write_archive(with_byte_code(files, python), stream)
    versions = tuple(_version(package) for package in packages)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(_Manifest(python, versions)))


def _packages(apt: Apt) -> tuple[str, Sequence[str]]:
    """Return the guest's version of Python, and the names of all packages."""
    kernel = _found(apt, KERNEL, "linux-image-.*")
    minimal = _found(apt, "python3-minimal", r"python3\.\d+-minimal")
    python = minimal.removeprefix("python").removesuffix("-minimal")
    pythons = [minimal, f"libpython{python}-minimal", f"libpython{python}-stdlib"]
    libraries = {
        name
        for package in pythons
        for name in apt.dependencies(package)
        if name.startswith(_LIBRARIES)
    }
    return python, [kernel, "busybox-static", "libgcc-s1", *pythons, *sorted(libraries)]


def _found(apt: Apt, package: str, pattern: str) -> str:
    """Return the name of the versioned package behind one that only points to it."""
    names = apt.dependencies(package)
    for name in names:
        if re.fullmatch(pattern, name):
            return name
    raise GuestError(
        f"{package} depends on {', '.join(names) or 'nothing'}, none of them {pattern}",
        mend=OTHER_MACHINE,
    )


def _kernel(package: Path, kernel: Path) -> dict[str, bytes]:
    """Write the kernel of a package to a file; return its modules by name."""
    modules = {}
    for path, entry in content_of(package):
        if path.startswith("boot/vmlinuz-"):
            kernel.write_bytes(entry.content)
        elif found := re.search(r"([^/]+)\.ko(\.xz)?$", path):
            modules[found[1]] = lzma.decompress(entry.content) if found[2] else entry.content
    return modules


def _layout(python: str) -> Iterator[tuple[str, Entry]]:
    for name in ("bin", "lib", "sbin"):
        yield name, link(f"usr/{name}")
    yield "usr/bin/python3", link(f"python{python}")
    for name in ("dev", "out", "proc", "root", "run", "sys"):
        yield name, FOLDER
    yield "tmp", Entry(stat.S_IFDIR | 0o1777)


def in_order(modules: dict[str, bytes], names: Sequence[str]) -> Iterator[bytes]:
    """Yield modules after those that they depend on, each once (`depends` in section .modinfo)."""
    done: set[str] = set()

    def take(name: str) -> Iterator[bytes]:
        if name and name not in done:
            done.add(name)
            found = re.search(rb"\0depends=([\w,-]*)\0", modules[name])
            for needed in found[1].decode().split(",") if found else ():
                yield from take(needed)
            yield modules[name]

    for name in names:
        yield from take(name)


def _version(package: Path) -> str:
    name, version, _ = package.name.split("_")
    return f"{name} {version.replace('%3a', ':')}"
