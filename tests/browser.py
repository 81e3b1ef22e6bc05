"""Headless Chromium, driven by its DevTools protocol over a pipe (--remote-debugging-pipe)."""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tests.lacking import lacking

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
Message = dict[str, Any]


class Page:
    """One page. What it logs and asks for is kept in `logged` and `requested`."""

    def __init__(self, to: int, back: BinaryIO) -> None:
        self._to = to
        self._back = back
        self._number = 0
        self._session = ""
        self._seen: list[str] = []
        self.logged: list[Message] = []
        self.requested: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> Message:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: Message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise ValueError(f"{method}: {answer['error']}")
                result: Message = answer["result"]
                return result

    def open(self, path: Path, *, width: int = 1200, dark: bool = False) -> None:
        """Open a file, as on a screen of this width."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._seen.clear()
        self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._seen:
            self._next()

    def run(self, expression: str) -> Any:  # noqa: ANN401 - what JavaScript returns
        """Return the value of a JavaScript expression; that of a promise when it has one."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key: Tab or Enter."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **text,
            )

    def follow(self) -> None:
        """Press Enter on a link within the page, and wait until it has been followed."""
        self._seen.clear()
        self.press("Enter")
        while "Page.navigatedWithinDocument" not in self._seen:
            self._next()

    def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _next(self) -> Message:
        data = bytearray()
        while (byte := self._back.read(1)) != b"\0":
            assert byte, "the browser ended"
            data += byte
        message: Message = json.loads(data)
        method = message.get("method", "")
        self._seen.append(method)
        if method in {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}:
            self.logged.append(message["params"])
        if method == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        return message


@contextmanager
def browse(profile: Path) -> Iterator[Page]:
    """Start a browser with a new profile in this folder; end it, and all that it started."""
    path = next((path for path in map(shutil.which, NAMES) if path), None)
    if not path:
        lacking("there is no Chromium", "apt-get install chromium")
    reading, to = os.pipe()
    back, writing = os.pipe()
    # The protocol has it that the browser reads 3 and writes 4.
    script = f'exec "$@" 3<&{reading} 4>&{writing}'
    browser = subprocess.Popen(
        [
            *("/bin/bash", "-c", script, "browser", path, "--headless", "--no-sandbox"),
            *("--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
        ],
        pass_fds=(reading, writing),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reading)
    os.close(writing)
    try:
        with os.fdopen(back, "rb") as answers:
            yield Page(to, answers)
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        os.close(to)
