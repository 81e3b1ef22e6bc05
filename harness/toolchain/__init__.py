"""Go toolchains: find or fetch one, build a target with it, cut the lock out of its runtime."""

from harness.toolchain.build import build_target
from harness.toolchain.cut import unlocked_runtime
from harness.toolchain.find import find_toolchain
from harness.toolchain.installation import Toolchain

__all__ = ["Toolchain", "build_target", "find_toolchain", "unlocked_runtime"]
