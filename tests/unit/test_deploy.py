"""The manifest for Kubernetes; scripts/lint-kubernetes holds it against the schema."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.experiment.task import Installed, Task, submit

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "workers.yaml"
ALL: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text()))


class Asked:
    """An executor that remembers what a task needs."""

    def __init__(self) -> None:
        self.needs: list[str] = []

    def submit(
        self, _fn: Callable[..., bytes], _task: bytes, /, *, needs: Iterable[str] = ()
    ) -> Future[bytes]:
        self.needs += needs
        return Future()


def needs(goarch: str, cpu: str | None = None) -> list[str]:
    asked = Asked()
    submit(Task(Installed("go1.22.0"), goarch=goarch, cpu=cpu), asked)
    return asked.needs


def one(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (
        each["spec"] for each in ALL if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def container(spec: Mapping[str, Any]) -> dict[str, Any]:
    (only,) = spec["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
def test_workers_have_what_checks_need(goarch: str) -> None:
    spec = one("Deployment", f"debugcall-worker-{goarch}")
    assert spec["template"]["spec"]["nodeSelector"] == {"kubernetes.io/arch": goarch}
    given = dict(arg.partition("=")[::2] for arg in container(spec)["args"])
    resources = dict(each.split("=") for each in given["--resources"].split())
    assert resources == dict.fromkeys(needs(goarch), given["--nthreads"])


def test_checks_in_the_guest_need_other_workers() -> None:
    assert needs("arm64", "neoverse-n1") == ["qemu"]


@pytest.mark.parametrize("name", ["scheduler", "worker-amd64", "worker-arm64"])
def test_dask_takes_the_arguments(name: str) -> None:
    of = container(one("Deployment", f"debugcall-{name}"))
    python, dash_m, module = of["command"]
    assert (python, dash_m) == ("python3", "-m")
    parse = f"import sys; from {module} import main; main.make_context('dask', sys.argv[1:])"
    command = [sys.executable, "-c", parse, *of["args"]]
    assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run([*command, "--no"], capture_output=True, check=False).returncode != 0


def test_labels_find_the_pods() -> None:
    (policy,) = (each["spec"] for each in ALL if each["kind"] == "NetworkPolicy")
    for name in ("scheduler", "worker-amd64", "worker-arm64"):
        spec = one("Deployment", f"debugcall-{name}")
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == labels
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    scheduler = one("Deployment", "debugcall-scheduler")
    service = one("Service", "debugcall-scheduler")
    assert service["selector"] == scheduler["template"]["metadata"]["labels"]
    (port,) = service["ports"]
    address = f"tcp://debugcall-scheduler:{port['port']}"
    for goarch in ("amd64", "arm64"):
        assert address in container(one("Deployment", f"debugcall-worker-{goarch}"))["args"]


def test_no_capability_is_asked_for() -> None:
    for each in ALL:
        if each["kind"] == "Deployment":
            assert container(each["spec"])["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }
