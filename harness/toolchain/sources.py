"""The Go sources of the targets."""

import hashlib
from pathlib import Path

from harness.errors import InputError

_PACKAGE = Path(__file__).resolve().parent.parent


def gotargets_folder() -> Path:
    """Return the folder of the Go module `gotargets`.

    A wheel carries it inside the package (pyproject.toml, sources); in a checkout, which an
    editable install points to, it stands beside the package.
    """
    inside = _PACKAGE / "gotargets"
    return inside if inside.is_dir() else _PACKAGE.parent / "gotargets"


def package_folder(source: Path | str) -> Path:
    """Return the folder of a main package: the name of one of the targets, or a path."""
    named = gotargets_folder() / source
    folder = named if isinstance(source, str) and named.is_dir() else Path(source).absolute()
    if not any(folder.glob("*.go")):
        raise InputError(
            f"no Go package in {folder}",
            mend=f"give a folder with a main package, or one of: {', '.join(target_names())}",
        )
    return folder


def target_names() -> list[str]:
    """Return the names of the targets that come with the harness."""
    return sorted({main.parent.name for main in gotargets_folder().glob("*/main.go")})


def content_of(folder: Path) -> str:
    """Return a digest of a package's own files and its module's go.mod.

    Packages imported from elsewhere are not looked at: targets use the standard library only.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    modules = (parent / "go.mod" for parent in (folder, *folder.parents))
    files += [path for path in modules if path.is_file()][:1]
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
