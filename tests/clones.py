"""Small git repositories made for a test."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Always the same commits, whoever makes them and whatever git is told by the environment.
_ENVIRON = {
    **{f"GIT_{who}_NAME": "Gopher" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "gopher@example.org" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "2023-08-03T20:53:52Z" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words],  # noqa: S607 - as the product finds it
        env=os.environ | _ENVIRON,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def start(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=master")
    git(folder, "config", "gc.auto", "0")
    return folder


def commit(folder: Path, subject: str, **files: str) -> str:
    """Commit files, whose names have __ for / and _DOT_ for the dot; return the commit."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={subject}")
    return git(folder, "rev-parse", "HEAD")


def merge(folder: Path, *others: str) -> str:
    git(folder, "merge", "--quiet", "--no-ff", "--message=merge", *others)
    return git(folder, "rev-parse", "HEAD")


def state_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a repository and its work tree, with its contents."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def chain(folder: Path, names: Sequence[str]) -> list[str]:
    """Commit one change to src/a after another."""
    return [commit(folder, name, src__a_DOT_go=name) for name in names]
