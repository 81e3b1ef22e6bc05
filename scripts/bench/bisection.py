"""What a bisection costs, in CPU seconds of all its processes, against make.bash for each step.

    scripts/bench/bisection CLONE [OLD NEW]

The default ends are 605 commits apart; the newer one is the fix that this project began with. The
cache is an empty one, except for releases that were fetched. make.bash runs once, for the new end.
The bisection is done again in the other direction, on a branch that reverts the fix on top.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from math import ceil, log2
from pathlib import Path
from time import monotonic

OLD, NEW = "ad943066f63c", "d9a4b24a1775"
DEBUGCALL = Path(sys.executable).with_name("debugcall")


def timed(*words: str | Path, cwd: Path, **environ: str) -> tuple[float, float, str]:
    """Run a command; return its CPU seconds, wall seconds and output."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), monotonic()
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{words[0]} ended in {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, monotonic() - began, done.stdout


def git(clone: Path, *words: str) -> str:
    """Return what a git command prints."""
    command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-C", str(clone)]
    return subprocess.run([*command, *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def reverted(clone: Path, commit: str) -> str:
    """Return a commit, made beside all branches, in which what `commit` did is undone."""
    files = git(clone, "diff-tree", "--no-commit-id", "--name-only", "-r", commit).split()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GIT_INDEX_FILE"] = f"{folder}/index"
        git(clone, "read-tree", commit)
        for name in files:
            mode, _, blob, *_ = git(clone, "ls-tree", f"{commit}^", "--", name).split()
            git(clone, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}")
        tree = git(clone, "write-tree").strip()
        del os.environ["GIT_INDEX_FILE"]
    return git(clone, "commit-tree", tree, "-p", commit, "-m", f"Revert {commit[:12]}").strip()


def main() -> None:
    """Bisect, bisect the other way, build once by make.bash, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clone", type=Path, metavar="CLONE", help="of Go's repository")
    parser.add_argument("old", nargs="?", default=OLD, metavar="OLD")
    parser.add_argument("new", nargs="?", default=NEW, metavar="NEW")
    given = parser.parse_args()
    for revision in (given.old, given.new):
        try:
            git(given.clone, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except subprocess.CalledProcessError:
            parser.error(f"{given.clone} is no clone of Go in which there is {revision}")
    with tempfile.TemporaryDirectory(prefix="bench-bisect-") as name:
        folder = Path(name)
        clone = folder / "go"  # the revert is made in it, not in the user's
        origin = str(given.clone.resolve())
        git(folder, "clone", "--quiet", "--shared", "--no-checkout", origin, str(clone))
        bench(folder, clone, given.old, given.new)


def bench(folder: Path, clone: Path, old: str, new: str) -> None:
    """Do it with this clone, in this folder."""
    commits = int(git(clone, "rev-list", "--count", f"{old}..{new}"))
    steps = ceil(log2(commits))
    print(f"{commits} commits, {steps} steps of a plain bisection; load {os.getloadavg()[0]:.1f}")
    environ = {"XDG_CACHE_HOME": str(folder / "cache")}
    ends = ("bisect", "--repo", clone, "--old", old, "--new")
    cpu, wall, said = timed(DEBUGCALL, *ends, new, cwd=folder, **environ)
    print(said, end="")
    print(f"\ncold: {cpu:.0f} CPU s, {wall:.0f} s")
    beyond = reverted(clone, git(clone, "rev-parse", new).strip())
    ends = ("bisect", "--repo", clone, "--old", new, "--new")
    again, wall, said = timed(DEBUGCALL, *ends, beyond, cwd=folder, **environ)
    print(f"\nthe other way, a revert on top: {said.splitlines()[0]}; {again:.0f} CPU s")
    git(clone, "checkout", "--quiet", "--detach", new)
    driver = subprocess.run(
        ["go", "env", "GOROOT"],  # noqa: S607 - the Go command on PATH
        env=os.environ | {"GOTOOLCHAIN": "go1.21.0", "GOENV": "off", "GOFLAGS": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    setting = {"GOROOT_BOOTSTRAP": driver, "GOTOOLCHAIN": "local", "GOENV": "off"}
    full, wall, _ = timed("bash", "make.bash", cwd=clone / "src", **setting)
    print(f"make.bash: {full:.0f} CPU s, {wall:.0f} s")
    print(f"a bisection by make.bash: {steps * full:.0f} CPU s, {steps * full / cpu:.0f} times")


if __name__ == "__main__":
    main()
