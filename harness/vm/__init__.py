"""A real arm64 Linux under QEMU, on any machine: a place to run commands in, one boot each."""

from harness.vm.guest import Guest
from harness.vm.python import harness_tree
from harness.vm.qemu import CPUS, GOARCH

__all__ = ["CPUS", "GOARCH", "Guest", "harness_tree"]
