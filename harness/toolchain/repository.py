"""A clone of Go's repository. It is only read: neither its work tree nor its refs change."""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote

from harness.bisected import Described
from harness.cache import held_locks, is_told_full, no_room
from harness.errors import InputError
from harness.toolchain.installation import last_line

# What a user's configuration would change of a tree that is checked out; a bare clone has none.
_PLAIN = (
    "core.autocrlf=false",
    "core.bare=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "core.sparseCheckout=false",
    "core.splitIndex=false",  # half of an index lies in the clone, wherever the index is
)


@dataclass(frozen=True)
class Repository:
    """A clone, known by the folder of its objects and refs (`git rev-parse --git-dir`)."""

    folder: Path

    @classmethod
    def open(cls, path: Path) -> "Repository":
        """Return the clone at a path, bare or not. Raises InputError if it is no clone of Go."""
        mend = "give a clone of https://go.googlesource.com/go"
        try:
            answer = _git(["-C", str(path), "rev-parse", "--absolute-git-dir"])
        except OSError as error:
            raise InputError(
                f"git cannot be run: {error.strerror}", mend="sudo apt-get install git"
            ) from None
        if answer.returncode:
            raise InputError(f"{path} is no git repository: {last_line(answer.stderr)}", mend=mend)
        repository = cls(Path(answer.stdout.strip()))
        unborn = repository._ask("rev-parse", "--verify", "--quiet", "HEAD^0").returncode
        if unborn or repository.text("HEAD", "src/runtime/proc.go") is None:
            raise InputError(f"{path} is no clone of Go: it has no src/runtime/proc.go", mend=mend)
        return repository

    def resolve(self, revision: str) -> str:
        """Return the full hash of the commit that `revision` names."""
        answer = self._ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^0")
        if answer.returncode:
            raise InputError(
                f"{self.folder} has no revision {revision!r}",
                mend=self._deepen or f"{self._command} fetch --tags",
            )
        return answer.stdout.strip()

    def require_clean(self, checkout: Path) -> None:
        """Raise InputError if sources in a work tree of this clone are not as committed."""
        status = ["status", "--porcelain", "--untracked-files=no", "--", ":/src"]
        answer = _git(["-C", str(checkout), *status])
        if answer.returncode:
            raise InputError(
                f"git cannot tell what is changed in {checkout}: {last_line(answer.stderr)}",
                mend="do this in a checkout of Go",
            )
        if changed := answer.stdout.splitlines():
            raise InputError(
                f"{checkout} has uncommitted changes, which would not be tested: "
                f"{changed[0][3:]}{', ...' if len(changed) > 1 else ''}",
                mend=f"git -C {quote(str(checkout))} stash",
            )

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether one commit is in the history of the other, or the same."""
        return self._ask("merge-base", "--is-ancestor", old, new).returncode == 0

    def merge_base(self, one: str, other: str) -> str:
        """Return the commit where two lines of history part."""
        answer = self._ask("merge-base", one, other)
        if answer.returncode:
            raise InputError(
                f"{one[:12]} and {other[:12]} have no history in common",
                mend=self._deepen or "give two revisions of the same history",
            )
        return answer.stdout.strip()

    def beginning(self, old: str, new: str) -> str:
        """Return `old` if `new` comes after it, else where their histories part."""
        if old == new:
            raise InputError(
                f"both ends are {old[:12]}", mend="give a commit before the change and one after"
            )
        if self.is_ancestor(old, new):
            return old
        if self.is_ancestor(new, old):
            raise InputError(
                f"the ends are swapped: {new[:12]} is older than {old[:12]}",
                mend=f"--old {new[:12]} --new {old[:12]}",
            )
        return self.merge_base(old, new)

    def parents(self, commit: str) -> Sequence[str]:
        """Return the parents of a commit."""
        return self.lines("rev-list", "--parents", "-1", commit)[0].split()[1:]

    def text(self, commit: str, path: str) -> str | None:
        """Return the contents of a file at a commit, None if there is none."""
        if not self.lines("ls-tree", commit, "--", path):
            return None
        return self._told("cat-file", "blob", f"{commit}:{path}")

    def content(self, commit: str, paths: Iterable[str]) -> str:
        """Return a digest over names and contents of the files at these paths (of ls-tree).

        Files of tests, and folders with data for them, are left out.
        """
        entries = [
            line
            for line in self.lines("ls-tree", "-r", commit, "--", *sorted(paths))
            if not line.endswith("_test.go") and "/testdata/" not in line
        ]
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()

    def describe(self, commit: str) -> Described:
        """Return what a reader wants to know of a commit."""
        said = self.lines("log", "-1", "--no-show-signature", "--format=%H%n%s%n%an%n%aI", commit)
        files = self.lines("diff-tree", "--no-commit-id", "--name-only", "-r", "-m", commit)
        return Described(said[0], said[1], said[2], said[3], tuple(dict.fromkeys(files)))

    def lines(self, *words: str) -> list[str]:
        """Return the lines that a git command prints, which must not fail."""
        return self._told(*words).splitlines()

    def check_out(self, tree: str, folder: Path, index: Path) -> None:
        """Make a folder hold exactly a tree (`COMMIT:src`), and write only what differs.

        `index` is a file that remembers what is there. Whatever else lies in the folder goes.
        """
        index.with_name(f"{index.name}.lock").unlink(missing_ok=True)  # of one that was killed
        answer = self._filled(tree, folder, index)
        if answer.returncode and index.exists():  # it may be damaged, as by a power cut
            index.unlink()
            answer = self._filled(tree, folder, index)
        if answer.returncode:
            if is_told_full(answer.stderr, folder):
                raise no_room(folder)
            raise InputError(
                f"cannot check {tree} out into {folder}: {last_line(answer.stderr)}",
                mend=self._whole,
            )

    def _filled(self, tree: str, folder: Path, index: Path) -> subprocess.CompletedProcess[str]:
        """Have git write a tree into a folder; return what came of it."""
        environ = {"GIT_INDEX_FILE": str(index)}
        for words in (["read-tree", "--reset", "-u", tree], ["clean", "-fdxq", "."]):
            answer = self._ask(*words, environ=environ, tree=folder)
            if answer.returncode:
                break
        return answer

    @property
    def _command(self) -> str:
        return f"git --git-dir={quote(str(self.folder))}"

    @property
    def _whole(self) -> str:
        """What mends a clone that lacks something."""
        partial = self._ask("config", "--get-regexp", r"^remote\..*\.promisor$").stdout
        fetch = f"{self._command} fetch --refetch --no-filter" if partial else ""
        return self._deepen or fetch or f"{self._command} fsck"

    @cached_property
    def _deepen(self) -> str:
        """What mends a clone that has not all of the history; empty if this one has."""
        answer = self._ask("rev-parse", "--is-shallow-repository")
        shallow = answer.stdout.strip() == "true"
        return f"{self._command} fetch --unshallow" if shallow else ""

    def _told(self, *words: str) -> str:
        """Return what a git command prints, which must not fail."""
        answer = self._ask(*words)
        if answer.returncode:
            raise InputError(
                f"git {words[0]} failed in {self.folder}: {last_line(answer.stderr)}",
                mend=self._whole,
            )
        return answer.stdout

    def _ask(
        self, *words: str, environ: dict[str, str] | None = None, tree: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        # With a work tree of its own (core.worktree, of a submodule) git would take paths to begin
        # where the user stands.
        top = tree or self.folder
        return _git([f"--git-dir={self.folder}", f"--work-tree={top}", *words], environ, top)


def _git(
    words: Sequence[str], environ: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run git without what the environment says of another repository (`git bisect run` does)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # Nothing but what is fetched is written to a clone, and nobody is asked for a password.
    kept |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    plain = [word for setting in _PLAIN for word in ("-c", setting)]
    return subprocess.run(
        ["git", *plain, *words],  # noqa: S607 - the user's own git, wherever it is
        env=kept | (environ or {}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        pass_fds=held_locks(),
        check=False,
    )
