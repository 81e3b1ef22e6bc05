import subprocess
from pathlib import Path

import pytest

from harness.errors import HarnessError, InputError, NoSuchRelease, Unsupported
from harness.toolchain import Toolchain, tools
from harness.toolchain.commit import folders_of, require_debug_calls_at
from harness.toolchain.repository import Repository
from harness.toolchain.tools import Tools
from tests.clones import chain, commit, git, start, state_of


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = start(tmp_path / "clone")
    commit(folder, "base", src__runtime__proc_DOT_go="package runtime\n", README="hello\n")
    return folder


def test_a_clone_is_opened_from_within_and_bare(clone: Path, tmp_path: Path) -> None:
    assert Repository.open(clone / "src").folder == clone / ".git"
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), "bare")
    assert Repository.open(tmp_path / "bare").folder == tmp_path / "bare"


def test_what_is_no_clone_of_go_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no git repository"):
        Repository.open(tmp_path)
    other = start(tmp_path / "other")
    commit(other, "other", README="something else")
    with pytest.raises(InputError, match=r"no clone of Go: it has no src/runtime/proc\.go"):
        Repository.open(other)


def test_the_environment_of_another_repository_has_no_say(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert Repository.open(clone).resolve("HEAD")


@pytest.mark.parametrize("revision", ["nosuch", "--help", "", "HEAD:README", "-n"])
def test_an_unknown_revision_is_told(clone: Path, revision: str) -> None:
    with pytest.raises(InputError, match="has no revision") as raised:
        Repository.open(clone).resolve(revision)
    assert "fetch" in raised.value.mend


def test_a_shallow_clone_is_told_how_to_get_the_rest(clone: Path, tmp_path: Path) -> None:
    chain(clone, ["1", "2", "3"])
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{clone}", "shallow")
    shallow = Repository.open(tmp_path / "shallow")
    with pytest.raises(InputError) as raised:
        shallow.resolve("HEAD~3")
    assert raised.value.mend.endswith("fetch --unshallow")
    old = git(clone, "rev-parse", "HEAD~2")
    git(tmp_path / "shallow", "fetch", "--quiet", "--depth=1", f"file://{clone}", old)
    with pytest.raises(InputError, match="no history in common") as raised:  # both are there
        shallow.beginning(old, shallow.resolve("HEAD"))
    assert raised.value.mend.endswith("fetch --unshallow")


def test_swapped_ends_are_told(clone: Path) -> None:
    repository = Repository.open(clone)
    old, new = chain(clone, ["1", "2"])
    assert repository.beginning(old, new) == old
    with pytest.raises(InputError, match=f"both ends are {old[:12]}"):
        repository.beginning(old, old)
    with pytest.raises(InputError, match="the ends are swapped") as raised:
        repository.beginning(new, old)
    assert raised.value.mend == f"--old {old[:12]} --new {new[:12]}"


def test_ends_on_two_branches_begin_where_these_part(clone: Path) -> None:
    repository = Repository.open(clone)
    parting = repository.resolve("HEAD")
    (on_master,) = chain(clone, ["1"])
    git(clone, "checkout", "--quiet", "-b", "release", parting)
    (on_release,) = chain(clone, ["2"])
    assert repository.beginning(on_release, on_master) == parting
    git(clone, "checkout", "--quiet", "--orphan", "stranger")
    (stranger,) = chain(clone, ["3"])
    with pytest.raises(InputError, match="no history in common"):
        repository.beginning(stranger, on_master)


def test_a_tree_is_checked_out_exactly(clone: Path, tmp_path: Path) -> None:
    repository = Repository.open(clone)
    first, second = chain(clone, ["1", "2"])
    out, index = tmp_path / "out", tmp_path / "index"
    out.mkdir()
    repository.check_out(f"{first}:src", out, index)
    assert (out / "a.go").read_text() == "1"
    (out / "a.go").write_text("changed by a build")
    (out / "runtime" / "proc.go").unlink()
    (out / "zgenerated.go").write_text("left by a build")
    index.with_name("index.lock").touch()  # as of a git that was killed
    for commit_, text in ((first, "1"), (second, "2")):
        repository.check_out(f"{commit_}:src", out, index)
        files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
        assert files == ["a.go", "runtime/proc.go"]
        assert (out / "a.go").read_text() == text


def test_a_damaged_index_is_made_anew(clone: Path, tmp_path: Path) -> None:
    repository = Repository.open(clone)
    out, index = tmp_path / "out", tmp_path / "index"
    out.mkdir()
    repository.check_out("HEAD:src", out, index)
    index.write_bytes(index.read_bytes()[:30])  # as a power cut leaves it
    (out / "runtime" / "proc.go").write_text("changed by a build")
    repository.check_out("HEAD:src", out, index)
    assert (out / "runtime" / "proc.go").read_text() == "package runtime\n"


def test_a_disk_that_is_too_small_for_a_tree(clone: Path, tmp_path: Path) -> None:
    made = commit(clone, "large", src__large_DOT_go="//" + "0123456789abcdef" * 4096)
    out = tmp_path / "out"
    out.mkdir()
    small = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=32k", "none", str(out)]
    if subprocess.run(small, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with pytest.raises(HarnessError, match="the disk is full") as raised:
            Repository.open(clone).check_out(f"{made}:src", out, tmp_path / "index")
        assert "XDG_CACHE_HOME" in raised.value.mend
    finally:
        subprocess.run(["/usr/bin/umount", str(out)], check=True)


def test_a_partial_clone_fetches_what_it_lacks_or_says_so(clone: Path, tmp_path: Path) -> None:
    commits = chain(clone, ["1", "2"])
    git(clone, "config", "uploadpack.allowFilter", "true")
    words = ("--quiet", "--no-checkout", "--filter=blob:none", f"file://{clone}", "partial")
    git(tmp_path, "clone", *words)
    partial = Repository.open(tmp_path / "partial")
    (tmp_path / "out").mkdir()
    partial.check_out(f"{commits[1]}:src", tmp_path / "out", tmp_path / "index")
    assert (tmp_path / "out" / "a.go").read_text() == "2"
    assert partial.text(commits[1], "src/nosuch.go") is None
    clone.rename(tmp_path / "unreachable")
    assert partial.content(commits[0], ["src"]) != partial.content(commits[1], ["src"])
    with pytest.raises(InputError, match="could not fetch") as raised:
        partial.text(commits[0], "src/a.go")
    assert raised.value.mend.endswith("fetch --refetch --no-filter")
    with pytest.raises(InputError, match=r"cannot check .* out into"):
        partial.check_out(f"{commits[0]}:src", tmp_path / "out", tmp_path / "index")


def test_an_object_that_is_damaged_is_no_file_that_is_missing(clone: Path) -> None:
    repository = Repository.open(clone)
    blob = git(clone, "rev-parse", "HEAD:src/runtime/proc.go")
    (clone / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InputError, match="git cat-file failed") as raised:
        repository.text("HEAD", "src/runtime/proc.go")
    assert raised.value.mend.endswith("fsck")


def test_paths_begin_at_the_top_wherever_one_stands(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "config", "core.worktree", str(clone))  # as a submodule has it
    (made,) = chain(clone, ["1"])
    monkeypatch.chdir(clone / "src")
    repository = Repository.open(Path())
    assert repository.content(made, ["src"]) != repository.content(f"{made}^", ["src"])
    assert repository.lines("rev-list", f"{made}^..{made}", "--", *folders_of(["src"])) == [made]


def test_the_clone_itself_stays_as_it_is(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "config", "core.splitIndex", "true")
    (clone / "README").write_text("edited\n")
    (clone / "src" / "runtime" / "proc.go").touch()  # git would like to remember the new time
    before = state_of(clone)
    (tmp_path / "out").mkdir()
    repository = Repository.open(clone)
    repository.check_out("HEAD:src", tmp_path / "out", tmp_path / "index")
    repository.content("HEAD", ["src"])
    repository.require_clean(clone)  # README is no source of Go
    assert state_of(clone) == before
    (clone / "src" / "runtime" / "proc.go").write_text("edited\n")
    monkeypatch.chdir(clone / "src")
    for checkout in (clone, Path()):
        with pytest.raises(InputError, match=r"uncommitted changes.*src/runtime/proc\.go"):
            repository.require_clean(checkout)
    with pytest.raises(InputError, match="must be run in a work tree"):
        repository.require_clean(clone / ".git")


def test_content_is_that_of_sources_without_tests(clone: Path) -> None:
    repository = Repository.open(clone)

    def content() -> str:
        return repository.content("HEAD", ["src/runtime"])

    first = content()
    commit(clone, "a test", src__runtime__x_test_DOT_go="1", src__runtime__testdata__d_DOT_go="1")
    assert content() == first
    commit(clone, "elsewhere", src__os__file_DOT_go="1")
    assert content() == first
    commit(clone, "a source", src__runtime__proc_DOT_go="2")
    assert content() != first


def test_git_is_asked_for_the_same_sources(clone: Path) -> None:
    repository = Repository.open(clone)
    base = repository.resolve("HEAD")
    commit(clone, "a test", src__runtime__x_test_DOT_go="1")
    commit(clone, "a folder below", src__runtime__internal__x_DOT_go="1")
    wanted = [
        commit(clone, "a source", src__runtime__proc_DOT_go="2"),
        commit(clone, "assembly", src__runtime__asm_amd64_DOT_s="2"),
        commit(clone, "a header", src__runtime__textflag_DOT_h="2"),
    ]
    found = repository.lines(
        "rev-list", "--reverse", f"{base}..", "--", *folders_of(["src/runtime"])
    )
    assert found == wanted


def test_a_commit_is_described(clone: Path) -> None:
    made = commit(clone, "runtime: fix it", src__runtime__proc_DOT_go="2", README="x")
    described = Repository.open(clone).describe(made)
    assert (described.commit, described.subject) == (made, "runtime: fix it")
    assert (described.author, described.date) == ("Gopher", "2023-08-03T20:53:52+00:00")
    assert described.files == ("README", "src/runtime/proc.go")


def test_a_runtime_without_debug_calls_is_told(clone: Path) -> None:
    repository = Repository.open(clone)
    with pytest.raises(Unsupported, match="has no debugCallV2 on linux/amd64"):
        require_debug_calls_at(repository, repository.resolve("HEAD"), "amd64")
    made = commit(clone, "asm", src__runtime__asm_amd64_DOT_s="TEXT runtime·debugCallV2<>(SB)\n")
    require_debug_calls_at(repository, made, "amd64")
    with pytest.raises(Unsupported, match="linux/arm64"):
        require_debug_calls_at(repository, made, "arm64")


def test_a_release_that_is_not_out_yet_is_replaced_by_the_one_before(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def not_out(release: str) -> Toolchain:
        asked.append(release)
        if release == "go1.26.0":
            raise NoSuchRelease("there is no Go release go1.26.0")
        return Toolchain(Path("/go"), f"{release} linux/amd64", Path("/go/bin/go"))

    monkeypatch.setattr(tools, "find_toolchain", not_out)
    master = commit(
        clone,
        "master",
        src__internal__goversion__goversion_DOT_go="package goversion\n\nconst Version = 27\n",
        src__cmd__dist__buildtool_DOT_go='var bootstrapDirs = []string{\n\t"cmd/asm",\n}\n',
    )
    found = Tools.of(Repository.open(clone), master, "amd64")
    assert asked == ["go1.26.0", "go1.25.0"]
    assert found.driver.version.startswith("go1.25.0")
