"""The action for GitHub, its steps run as the runner would run them, and the workflow."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import pytest
import yaml

from harness.environment import neutral
from harness.recording.lines import load
from harness.toolchain import Toolchain
from tests.integration.running import until
from tests.lacking import lacking

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
PAGE = (ROOT / "docs" / "ci.md").read_text()
TOLD = (
    "debugcall go1.21.1: fail",
    "a call is dispatched on the thread that it was injected into: not so",
)
"""What an annotation begins with."""
_INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


@dataclass(frozen=True)
class Ran:
    code: int
    said: str
    outputs: Mapping[str, str]
    summary: str


def started(folder: Path, **given: str) -> Iterator[subprocess.Popen[str]]:
    """Start the action's steps in a folder, with these inputs, each when the last has passed."""
    inputs = {name: about["default"] for name, about in ACTION["inputs"].items()} | given
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_JOB": "check",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "RUNNER_ARCH": "X64",
        "RUNNER_TEMP": str(folder),
    }
    (folder / "output").touch()
    (folder / "summary").touch()
    for step in ACTION["runs"]["steps"]:
        if "run" not in step:
            continue
        assert step["shell"] == "bash"
        values = {
            name: _INPUT.sub(lambda match: inputs[match[1]], text)
            for name, text in step.get("env", {}).items()
        }
        script = folder / "step.sh"
        script.write_text(step["run"])
        # The runner's own way: docs.github.com, "Workflow syntax", jobs.<job_id>.steps[*].shell.
        with subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],  # noqa: S607
            env=os.environ | runner | values,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            yield process
        if process.returncode:
            break


def left(folder: Path) -> list[Path]:
    """Return what still runs of that."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if f"RUNNER_TEMP={folder}".encode() in (process / "environ").read_bytes():
                found.append(process)
    return found


def outputs_in(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())


def act(folder: Path, **given: str) -> Ran:
    """Run the action's steps to their end."""
    said, code = "", 0
    for process in started(folder, **given):
        said += process.communicate()[0]
        code = process.returncode
    return Ran(code, said, outputs_in(folder), (folder / "summary").read_text())


def test_a_broken_toolchain_fails_the_step(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    one, two = toolchain("1.21.1").goroot, toolchain("1.22.0").goroot
    ran = act(tmp_path, go=f",{one},\n {two}, ", number="20")
    assert ran.code == 1, ran.said
    assert ran.outputs["verdict"] == "fail"
    recordings = Path(ran.outputs["recordings"])
    assert len(list(recordings.glob("*.jsonl"))) == 2
    assert Path(ran.outputs["junit"]).parent == recordings
    suites = parse(ran.outputs["junit"]).getroot()  # noqa: S314 - our own
    assert suites.get("failures") not in {None, "0"}
    title, message = TOLD
    title = title.replace(":", "%3A")
    assert f"\n::error title={title}::{message} in 20 cases%0A" in ran.said
    assert "| go1.21.1 | fail |" in ran.summary.replace("\\", "")


def test_a_sound_one_passes_with_targets_and_schedules(
    toolchain: Callable[[str], Toolchain], tmp_path: Path
) -> None:
    goroot = str(toolchain("1.22.0").goroot)
    target = str(ROOT / "gotargets" / "compute")
    ran = act(
        tmp_path,
        go=goroot,
        targets=target,
        schedule="delay, steal",
        number="20",
        args="--no-control  --jobs 1",
    )
    assert ran.code == 0, ran.said
    assert ran.outputs["verdict"] == "pass"
    assert len(list(Path(ran.outputs["recordings"]).glob("*.jsonl"))) == 2
    assert "::error" not in ran.said


def _has_ended_or_recorded(process: subprocess.Popen[str], folder: Path) -> bool:
    recordings = folder.glob("debugcall.*/*.jsonl")
    return process.poll() is not None or any('"exited"' in r.read_text() for r in recordings)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_what_was_seen_until_a_job_is_cancelled_is_kept(tmp_path: Path, by: signal.Signals) -> None:
    inputs = {"schedule": "steal, delay", "number": "500", "args": "--no-control --jobs=1"}
    for process in started(tmp_path, **inputs):
        until(partial(_has_ended_or_recorded, process, tmp_path), "a recording is there")
        process.send_signal(by)
        said = process.communicate()[0]
    assert process.returncode == 130, said
    outputs = outputs_in(tmp_path)
    assert outputs["verdict"] == "error"
    (recording,) = Path(outputs["recordings"]).glob("*.jsonl")
    assert load(recording).complete
    assert not left(tmp_path)


def test_without_a_toolchain_the_go_that_is_found_is_checked(tmp_path: Path) -> None:
    ran = act(tmp_path, number="5", args="--no-control")
    assert ran.code == 0, ran.said


@pytest.mark.parametrize("name", ["go", "targets", "schedule", "number", "args", "artifact"])
def test_no_input_is_run_as_a_script(tmp_path: Path, name: str) -> None:
    ran = act(tmp_path, **{"go": "/nowhere", name: "$(touch pwned) `touch pwned` '; touch pwned #"})
    assert not (tmp_path / "pwned").exists()
    assert ran.code == 129
    assert ran.outputs["verdict"] == "error"
    assert not any("${{" in step.get("run", "") for step in ACTION["runs"]["steps"])


def test_each_output_comes_from_a_step(tmp_path: Path) -> None:
    outputs = act(tmp_path, go="/nowhere").outputs
    values = {name: about["value"] for name, about in ACTION["outputs"].items()}
    assert values.pop("artifact") == "${{ inputs.artifact || steps.check.outputs.artifact }}"
    assert values == {
        name: f"${{{{ steps.check.outputs.{name} }}}}" for name in outputs if name != "artifact"
    }


def test_each_artifact_has_a_name_of_its_own(tmp_path: Path) -> None:
    one, two = (act(tmp_path, go="/nowhere").outputs["artifact"] for _ in range(2))
    assert one != two
    assert all(re.fullmatch(r"debugcall-check-X64-\w{6}", name) for name in (one, two))
    (kept,) = (step for step in ACTION["runs"]["steps"] if "uses" in step)
    assert kept["with"]["name"] == ACTION["outputs"]["artifact"]["value"]


def test_what_is_used_has_a_version() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    used = re.findall(r"uses: (.+)", workflow + (ROOT / "action.yml").read_text())
    assert "./" in used
    version = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"  # a tag can be moved
    assert all(re.fullmatch(rf"\./|{version}", name) for name in used)


def test_the_page_tells_what_goes_in_and_what_comes_out() -> None:
    for name in ("inputs", "outputs"):
        assert all(f"\n| `{each}` | " in PAGE for each in ACTION[name])
    (told,) = re.findall(r"```text\n(.*?)\n(.*?) in \d+ cases\n```", PAGE)
    assert told == TOLD


@pytest.fixture(scope="module")
def actionlint(
    toolchain: Callable[[str], Toolchain], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    go, folder = toolchain("1.26.8"), tmp_path_factory.mktemp("actionlint")
    kept = {name: os.environ[name] for name in ("GOPROXY", "GOSUMDB") if name in os.environ}
    built = subprocess.run(
        [go.go, "install", ACTIONLINT],
        env=neutral() | kept | {"GOROOT": str(go.goroot), "GOBIN": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        lacking(f"actionlint cannot be had: {built.stderr}")
    return folder / "actionlint"


def test_actionlint_finds_no_fault(actionlint: Path, tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(on:.*?)```", PAGE, re.DOTALL)
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (tmp_path / ".git").mkdir()  # what it takes for a project, with an action of its own
    (tmp_path / "action.yml").write_text((ROOT / "action.yml").read_text())
    (workflows / "ci.yml").write_text((ROOT / ".github/workflows/ci.yml").read_text())
    (workflows / "shown.yml").write_text(shown.replace("OWNER/debugcall-harness@COMMIT", "./"))
    done = subprocess.run([actionlint], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    wrong = shown.replace("OWNER/debugcall-harness@COMMIT", "./").replace("go: ", "gone: ")
    (workflows / "shown.yml").write_text(wrong)
    done = subprocess.run([actionlint], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'input "gone" is not defined in action' in done.stdout
