from pathlib import Path

import pytest

from harness.environment import neutral
from harness.toolchain.environment import for_build

USERS = {
    "GOFLAGS": "-mod=vendor",
    "GOROOT": "/elsewhere",
    "GOTOOLCHAIN": "go1.99.0",
    "GOEXPERIMENT": "arenas",
    "GODEBUG": "gctrace=1",
    "GOAMD64": "v3",
    "GO111MODULE": "off",
    "GOWORK": "/home/somebody/go.work",
    "CGO_CFLAGS": "-O0",
    "GOMAXPROCS": "1",
}


def test_no_go_setting_of_the_user_is_left() -> None:
    left = neutral(USERS)
    assert left.pop("GOFLAGS") == ""
    assert left.pop("GOTOOLCHAIN") == "local"
    assert left.pop("GOWORK") == "off"
    assert left.pop("GOENV") == "off"
    assert left.pop("XDG_CONFIG_HOME") == "/dev/null"
    assert left == {}


def test_what_is_not_gos_stays() -> None:
    others = {
        "PATH": "/bin",
        "HOME": "/home/somebody",
        "HTTPS_PROXY": "http://proxy:3128",
        "SSL_CERT_FILE": "/etc/ssl/company.pem",
        "GOENV_ROOT": "/opt/goenv",
    }
    assert others.items() <= neutral(others).items()


def test_a_build_is_offline_without_c_and_away_from_the_module_cache(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in USERS.items():
        monkeypatch.setenv(name, value)
    built = for_build(
        Path("/go"), goarch="arm64", gocache=empty_cache / "g", scratch=empty_cache / "s"
    )
    assert built["GOROOT"] == "/go"
    assert (built["GOOS"], built["GOARCH"], built["CGO_ENABLED"]) == ("linux", "arm64", "0")
    assert (built["GOPROXY"], built["GO111MODULE"]) == ("off", "on")
    assert Path(built["GOMODCACHE"]).is_relative_to(empty_cache)
    assert "GOEXPERIMENT" not in built
    assert "GOAMD64" not in built
