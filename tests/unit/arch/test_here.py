import platform

import pytest

from harness.arch import arch_here, host_goarch
from harness.errors import Unsupported


def test_a_program_for_this_machine() -> None:
    assert arch_here(host_goarch()).name == host_goarch()


@pytest.mark.parametrize(("machine", "goarch"), [("x86_64", "arm64"), ("aarch64", "amd64")])
def test_a_program_for_another_machine(
    monkeypatch: pytest.MonkeyPatch, machine: str, goarch: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(
        Unsupported, match=f"for {goarch}, and this machine is {host_goarch()}"
    ) as e:
        arch_here(goarch)
    assert f"GOARCH={host_goarch()}" in e.value.mend


def test_a_machine_that_go_has_another_name_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert host_goarch() == "riscv64"
    with pytest.raises(Unsupported):
        arch_here("riscv64")
