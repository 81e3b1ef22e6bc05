"""Perfetto itself opens a trace and says what it finds in it; scripts/test-perfetto has it here."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.report.trace import trace
from tests.browser import Page, browse
from tests.recordings import migrated, refused
from tests.unit.report.exhibits import exhibit

_QUERY = """
(async () => {
  while (!globalThis.app?.trace || app.isLoadingTrace)
    await new Promise(done => setTimeout(done, 50));
  const found = await app.trace.engine.query(%s), rows = [];
  for (const row = found.iter({}); row.valid(); row.next())
    rows.push(found.columns().map(name => String(row.get(name))));
  return rows;
})()
"""


class _Handler(SimpleHTTPRequestHandler):
    """Perfetto's files, and the trace."""

    def __init__(self, file: Path, *args: Any) -> None:  # noqa: ANN401 - the server's
        self._file = file
        super().__init__(*args, directory=os.environ["PERFETTO"])

    def translate_path(self, path: str) -> str:
        return str(self._file) if path == "/trace.json" else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(file: Path) -> Iterator[str]:
    """Serve Perfetto and a trace on the loopback; a page of file: cannot fetch."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, file)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(page: Page, query: str) -> list[list[str]]:
    """Return the rows of a query, once the trace is open."""
    rows: list[list[str]] = page.run(_QUERY % json.dumps(query))
    return rows


def test_perfetto_opens_a_trace(tmp_path: Path) -> None:
    exhibits = [
        exhibit(tmp_path / "a", migrated(), pid=4711),
        exhibit(tmp_path / "b", *map(refused, range(3)), pid=4712),
    ]
    file = tmp_path / "trace.json"
    file.write_text(trace(exhibits))
    events = json.loads(file.read_text())["traceEvents"]
    with served(file) as perfetto, browse(tmp_path / "profile") as page:
        page.call("Page.navigate", url=f"{perfetto}/#!/?url={perfetto}/trace.json")
        # `stats` counts what could not be read.
        assert ask(page, "SELECT name, value FROM stats WHERE severity != 'info' AND value") == []
        arrows = ask(
            page,
            "SELECT a.name, b.name FROM flow JOIN slice a ON slice_out = a.id"
            " JOIN slice b ON slice_in = b.id ORDER BY flow.id",
        )
        taken = [["held", "hands it back"], ["hands it back", "goes on"]]
        assert arrows == [["held", "call of main.add"], *3 * taken]
        found = ask(
            page,
            "SELECT pid, tid, slice.name, ts / 1000, dur / 1000 FROM slice JOIN thread_track"
            " ON track_id = thread_track.id JOIN thread USING (utid) JOIN process USING (upid)",
        )
        keys = ("pid", "tid", "name", "ts", "dur")
        slices = [[str(one[key]) for key in keys] for one in events if one["ph"] == "X"]
        assert sorted(found) == sorted(slices)
        processes = ask(page, "SELECT pid, name FROM process WHERE pid ORDER BY pid")
        assert [pid for pid, _ in processes] == ["4711", "4712"]
        assert [name.rpartition(": ")[2] for _, name in processes] == ["fail", "pass"]
        threads = ask(page, "SELECT tid, name FROM thread WHERE tid ORDER BY tid")
        assert threads == [[tid, f"caller {tid}"] for tid, _ in threads]
