"""Programs that nobody prepared, as `debugcall run` and `debugcall attach` check them."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness import Check
from harness.errors import TargetError
from harness.experiment.program import ProgramSettings, attach_program, run_program
from harness.experiment.verdict import CONTESTED_SHARE
from harness.recording import Exited, Inject, Schedule, load
from harness.toolchain import Toolchain, build_target, find_toolchain
from harness.tracer.procfs import status
from harness.verdict import Result
from tests.conftest import BROKEN_RELEASES
from tests.integration.running import GENEROUS, assert_free, ended, until

RELEASES = ("1.17.13", "1.21.1", "1.21.3", None)
"""Broken and fixed ones; None is the Go found."""
STRIPPED = "-ldflags=-s -w"

Build = Callable[..., Path]


@pytest.fixture
def build(toolchain: Callable[[str], Toolchain]) -> Build:
    def built(target: str, version: str | None, *flags: str) -> Path:
        found = find_toolchain() if version is None else toolchain(version)
        return build_target(found, target, flags=flags)

    return built


class Server:
    """The target `server`, started by itself."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        host, _, port = process.stdout.readline().decode().strip().partition(":")
        self.pid = process.pid
        self.address = host, int(port)

    def ask(self, lines: int) -> None:
        """Send lines on a new connection, one after the other's answer; check the answers."""
        with (
            socket.create_connection(self.address, GENEROUS) as connection,
            connection.makefile("rwb") as stream,
        ):
            for n in range(lines):
                stream.write(b"line %d\n" % n)
                stream.flush()
                assert stream.readline() == b"line %d\n" % n

    def is_idle(self) -> bool:
        """Tell whether the listener is the only socket that it has, and all its threads sleep.

        One that has just closed a connection still comes by places for calls on its way out.
        """
        sockets = 0
        for path in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                sockets += str(path.readlink()).startswith("socket:")
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        return sockets == 1 and all(status(t.name).get("State", "S")[0] == "S" for t in threads)


@contextmanager
def serving(binary: Path) -> Iterator[Server]:
    with subprocess.Popen(
        [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            server = Server(process)
            server.ask(3)
            until(server.is_idle, "the server has closed its connections")
            yield server
            assert process.poll() is None
            assert_free(server.pid)
            server.ask(50)
        finally:
            process.kill()


@contextmanager
def load_on(server: Server) -> Iterator[None]:
    """Have two clients ask meanwhile."""
    done = threading.Event()
    failed: list[BaseException] = []

    def client() -> None:
        try:
            while not done.is_set():
                server.ask(20)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        yield
    finally:
        done.set()
        for one in clients:
            one.join()
    assert not failed


def quiet(what: str, events: object) -> None:
    """Show no progress."""


def judged(check: Check, version: str | None, number: int) -> None:
    """Check that the verdict is that of a broken release, or of a fixed one, with its proof.

    In an idle program on a busy machine not each theft comes about in the time given.
    """
    counts = check.verdict.counts.values()
    migrated, refused = sum(c.migrated for c in counts), sum(c.refused for c in counts)
    assert sum(c.injections for c in counts) == number
    assert sum(c.ended for c in counts) == number
    assert sum(c.rejected for c in counts) == 0
    assert check.control is None
    if version in BROKEN_RELEASES:
        assert check.result is Result.FAIL
        assert refused == 0
        assert migrated >= number // 2
        assert sum(c.unlocked for c in counts) == number
    else:
        proved = refused >= CONTESTED_SHARE * number
        assert check.result is (Result.PASS if proved else Result.INCONCLUSIVE), check.reason
        assert migrated == 0
        assert refused >= number // 2
        assert sum(c.locked for c in counts) == number


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("flags", [(), (STRIPPED,)], ids=["plain", "stripped"])
def test_a_server_under_load(build: Build, version: str | None, flags: tuple[str, ...]) -> None:
    with serving(build("server", version, *flags)) as server:
        with load_on(server):
            check = attach_program(server.pid, ProgramSettings(number=40), quiet)
        judged(check, version, 40)
        assert check.toolchain == find_toolchain().version if version is None else f"go{version}"


@pytest.mark.parametrize("version", RELEASES)
def test_an_idle_server_that_may_be_woken(build: Build, version: str | None) -> None:
    with serving(build("server", version)) as server:
        for schedule in (None, Schedule.STEAL):
            settings = ProgramSettings(number=20, schedule=schedule, wake=True)
            judged(attach_program(server.pid, settings, quiet), version, 20)


@pytest.mark.parametrize("version", ["1.21.1", "1.21.3"])
def test_an_idle_server_that_may_not_be_woken_proves_nothing(
    build: Build, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.1")
    with serving(build("server", version)) as server:
        check = attach_program(server.pid, ProgramSettings(number=20), quiet)
    assert check.result is Result.INCONCLUSIVE
    assert "idle" in check.reason
    assert not check.verdict.counts


def test_a_request_now_and_then_is_enough(build: Build) -> None:
    # Later than the first tenth of the time, when threads are looked at wherever they are.
    with serving(build("server", "1.21.3")) as server:
        late = threading.Timer(3.0, server.ask, (1,))
        late.start()
        check = attach_program(server.pid, ProgramSettings(number=1), quiet)
        late.join()
        judged(check, "1.21.3", 1)


def test_a_place_of_the_users_choice(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    settings = ProgramSettings(number=10, at="main.serve", record=file, schedule=Schedule.STEAL)
    with serving(build("server", "1.21.3")) as server:
        with load_on(server):
            check = attach_program(server.pid, settings, quiet)
        judged(check, "1.21.3", 10)
        assert check.recording == str(file)
    recording = load(file)
    assert {event.function for event in recording.all(Inject)} == {"main.serve"}
    (exit_,) = recording.all(Exited)
    assert exit_.detached


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("flags", [(), (STRIPPED, "-buildmode=pie")], ids=["plain", "stripped-pie"])
def test_a_program_that_only_computes(
    build: Build, version: str | None, flags: tuple[str, ...]
) -> None:
    binary = build("compute", version, *flags)
    check = run_program([str(binary)], ProgramSettings(number=30), quiet)
    judged(check, version, 30)


@pytest.mark.parametrize("version", ["1.21.1", "1.21.3"])
def test_a_program_that_ends_by_itself(build: Build, version: str, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    binary = build("compute", version)
    settings = ProgramSettings(number=20, at="main.power", to_end=True, record=file)
    check = run_program([str(binary), "2000000"], settings, quiet)
    judged(check, version, 20)
    (exit_,) = load(file).all(Exited)
    assert exit_.code == 0  # it checks what it computes


def test_a_program_that_ends_before_there_was_a_stop(build: Build) -> None:
    with pytest.raises(TargetError, match="ended by itself: exit code 0"):
        run_program([str(build("compute", "1.21.3")), "1"], ProgramSettings(), quiet)
    with pytest.raises(TargetError, match="ended by itself: exit code 3"):
        run_program([str(build("exit", "1.21.3"))], ProgramSettings(), quiet)


def test_a_program_that_ends_in_the_middle(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGCALL_TIME_SCALE", "0.1")  # it is looked at 0.1 s after its start
    file = tmp_path / "recording"
    settings = ProgramSettings(number=100_000, schedule=Schedule.STEAL, record=file)
    check = run_program([str(build("compute", "1.21.3")), "3000000"], settings, quiet)
    assert check.verdict.counts[Schedule.STEAL].injections >= 1
    (exit_,) = load(file).all(Exited)
    assert exit_.code == 0
    assert check.result is not Result.FAIL


def test_a_launched_program_ends_with_its_check(build: Build, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    binary = build("compute", "1.21.3")
    run_program([str(binary)], ProgramSettings(number=5, record=file), quiet)
    recording = load(file)
    assert ended(recording.header.target.pid)
    (exit_,) = recording.all(Exited)
    assert exit_.killed
