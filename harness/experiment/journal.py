"""The folder of a bisection: what was asked, what was tested, every recording."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import msgspec
from filelock import FileLock, Timeout

from harness.bisected import Question, Tested
from harness.cache import is_full, no_room
from harness.errors import HarnessError, InputError
from harness.experiment.task import Outcome
from harness.verdict import Result


class Journal:
    """Keeps what was tested, a line each, as it comes; begun again it knows what is there.

    What was under way when it broke off is done again, and so is what was inconclusive: the machine
    may have been too busy. A failure of the machine is not kept.
    """

    def __init__(self, folder: Path, question: Question) -> None:
        """Open the folder, or make it. Raises InputError if it is of another question."""
        self.folder = folder
        self.tested: list[Tested] = []
        self._path = folder / "journal.jsonl"
        with writing_into(folder):
            self._lock = FileLock(folder / "lock", timeout=0)
            try:
                self._lock.acquire()
            except Timeout:
                raise InputError(
                    f"another bisection is at work in {folder}",
                    mend="wait for it; or give --out DIR",
                ) from None
            try:
                self._read(question)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.release()

    def find(self, key: str, number: int) -> Tested | None:
        """Return what is known of a program after that many injections, or more."""
        found = (tested for tested in self.tested if tested.key == key)
        best = max(found, key=lambda tested: tested.number, default=None)
        return best if best and best.number >= number else None

    def add(self, point: str, tools: str | None, key: str, number: int, outcome: Outcome) -> Tested:
        """Keep what came of a test, and return it."""
        check, failure = outcome.check, outcome.failure
        if failure and failure.exit_code > 128:  # noqa: PLR2004 - says nothing about Go: errors.py
            raise HarnessError(f"{point[:12]}: {failure.error}", mend=failure.mend)
        with writing_into(self.folder):
            kept = outcome.keep(
                self.folder / f"{point[:12]}-{(tools or 'own')[:12]}-{number}.jsonl"
            )
            tested = Tested(
                point,
                tools,
                key,
                number,
                check.result if check else None,
                check.reason if check else failure.error if failure else "",
                str(kept) if kept else None,
                outcome.seconds,
                outcome.cpu_seconds,
            )
            self._append(tested)
        self.tested.append(tested)
        return tested

    def _append(self, line: Question | Tested) -> None:
        with self._path.open("ab") as stream:
            stream.write(msgspec.json.encode(line) + b"\n")

    def _read(self, question: Question) -> None:
        text = self._path.read_bytes() if self._path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        try:
            lines = [_decode(line) for line in whole.splitlines()]
        except (ValueError, msgspec.DecodeError):
            raise self._foreign("holds no bisection that can be read") from None
        begun = msgspec.json.encode(question).startswith(text)
        if (lines and lines[0] != question) or not (lines or begun):
            raise self._foreign("holds a bisection with another question")
        if whole != text:
            os.truncate(self._path, len(whole))
        if not lines:
            self._append(question)
        tested = (line for line in lines if isinstance(line, Tested))
        self.tested = [one for one in tested if one.result is not Result.INCONCLUSIVE]

    def _foreign(self, what: str) -> InputError:
        return InputError(
            f"{self.folder} {what}",
            mend=f"give another folder with --out, or remove it: rm -r {quote(str(self.folder))}",
        )


_decode: Callable[[bytes], Question | Tested] = msgspec.json.Decoder(Question | Tested).decode


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Make a folder for results, and turn what fails there into an error that says what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if is_full(error):
            raise no_room(folder) from error
        raise InputError(
            f"cannot write to {folder}: {error.strerror}",
            mend="give a folder that can be written to",
        ) from error
