import struct
from collections.abc import Callable

import pytest

from harness.gobinary import GoBinary

Opened = Callable[..., GoBinary]

MODULE = """path\ttiny
mod\ttiny\t(devel)\t
dep\texample.org/x\tv1.2.3\th1:abc=
build\t-buildmode=exe
build\t-ldflags="-X 'main.v=a b' -s"
build\tCGO_ENABLED=0
build\tGOAMD64=v1
build\tGOEXPERIMENT=
build\todd=`tick`
build\tbroken="never ends
build\tnothing
"""


def test_settings(opened: Opened) -> None:
    assert opened(module=MODULE).settings == {
        "-buildmode": "exe",
        "-ldflags": "-X 'main.v=a b' -s",
        "CGO_ENABLED": "0",
        "GOAMD64": "v1",
        "GOEXPERIMENT": "",
        "odd": "tick",
        "broken": '"never ends',
    }


@pytest.mark.parametrize("with_sections", [True, False])
@pytest.mark.parametrize(
    ("since", "version"),
    [
        ("1.16", "go1.17.13"),
        ("1.20", "go1.27.3"),
        ("1.20", "devel go1.22-d9a4b24a17 Tue Sep 12 20:26:00 2023 +0000"),
        ("1.20", "go1.24.0 X:synctest"),
    ],
)
def test_version(opened: Opened, since: str, version: str, *, with_sections: bool) -> None:
    binary = opened(since=since, version=version, with_sections=with_sections)
    assert binary.go_version == version
    assert binary.build_id == "build/id"


def test_version_behind_relocations(opened: Opened) -> None:
    binary = opened(since="1.16", version="go1.17.13", relocated=True, with_sections=False)
    assert binary.go_version == "go1.17.13"


def test_no_build_information(opened: Opened) -> None:
    binary = opened(version="")
    assert binary.go_version == "unknown"
    assert binary.settings == {}


def test_a_length_that_is_too_long_to_be_one(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def huge(version: str, module: str) -> bytes:
        del version
        return b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16) + b"\x81" * 9 + module.encode()

    monkeypatch.setattr("tests.unit.gobinary.synthetic.build_info", huge)
    assert opened(version="go1.21.1").go_version == "unknown"


def test_a_string_that_is_too_long_to_be_one(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(version: str, address: int) -> bytes:
        del version
        header = b"\xff Go buildinf:" + bytes([8, 0]) + struct.pack("<QQ", address + 32, 0)
        return header + struct.pack("<QQ", address, 1 << 62)

    monkeypatch.setattr("tests.unit.gobinary.synthetic.old_build_info", endless)
    assert opened(since="1.16").go_version == "unknown"
