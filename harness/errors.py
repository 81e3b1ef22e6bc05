"""The exception tree. Each error carries what to do about it and the exit code it ends in.

    HarnessError                    132  the harness itself failed, or what it takes (network, disk)
    ├── InputError                  129  what the user gave cannot be used
    │   ├── BinaryError             129  a file is no Go program that can be examined
    │   ├── RecordingError          129  a recording cannot be read or written
    │   └── TargetError             129  the target ended, crashed or never got ready
    │       └── IdleTarget          129  nothing in the target came by where a call is safe
    ├── Unsupported                 125  this toolchain or target cannot be judged
    │   └── BuildError              125  a toolchain or a target does not build
    ├── TracePermissionError        131  the kernel does not let this process trace that one
    ├── GuestError                  132  the arm64 guest cannot be made or booted, or it died
    ├── ClusterError                132  the Dask cluster cannot be used, or it is gone
    └── Interrupted                 130  the user, or a supervisor, asked to stop

Exit codes follow `git bisect run` (see git-bisect(1)): 0 good, 125 skip, 128 and above abort.
"""


class HarnessError(Exception):
    """Something went wrong that is not a verdict about a Go runtime.

    `mend` is the exact command, or the act, that puts it right; it is empty when there is none.
    """

    exit_code = 132

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class InputError(HarnessError):
    """What the user gave (an argument, a file, a process) cannot be used."""

    exit_code = 129


class NoSuchRelease(InputError):
    """There is no Go release of this name for this machine."""


class BinaryError(InputError):
    """A file is missing, damaged, or no Go program that the harness can examine."""


class RecordingError(InputError):
    """A recording cannot be read or written."""


class TargetError(InputError):
    """The target ended, crashed by itself or never got ready."""


class IdleTarget(TargetError):
    """No thread of the target came by a place where a call is safe, in the time given."""


class Unsupported(HarnessError):
    """This toolchain or target cannot be judged: no verdict, in either direction."""

    exit_code = 125


class BuildError(Unsupported):
    """A toolchain or a target does not build."""


class TracePermissionError(HarnessError):
    """The kernel does not let this process trace that one; the message says which rule it was."""

    exit_code = 131


class GuestError(HarnessError):
    """The arm64 guest cannot be made or booted, died, or was not done in time."""


class ClusterError(HarnessError):
    """The Dask cluster cannot be reached, has no fit worker, lost a task or is gone."""


class Interrupted(HarnessError):
    """SIGINT or SIGTERM arrived; the injection under way was ended and the target let go."""

    exit_code = 130
