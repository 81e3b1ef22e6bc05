"""Telling CI what came of checks: JUnit's XML in a file, annotations and a summary on GitHub."""

import os
from collections.abc import Sequence
from pathlib import Path

from harness.cli import options, output
from harness.verdict import Conclusion


class Publisher:
    """Writes what is asked for when the checks are done.

    Raises `InputError`, before the first check, if it could not be written. Whether this runs on
    GitHub is told by the runner's own variables.
    """

    def __init__(
        self,
        junit: Path | None,
        *,
        as_json: bool,
        targets: Sequence[str] = (),
        ways: Sequence[str] = (),
    ) -> None:
        self._junit = junit
        self._as_json = as_json
        self._targets = targets
        self._ways = ways
        if junit:
            from harness.report import outfile

            outfile.claim(junit)

    def __call__(self, conclusions: Sequence[Conclusion], names: Sequence[str] = ()) -> None:
        """Write it. `names` are needed where toolchains do not tell the checks apart."""
        if os.environ.get("GITHUB_ACTIONS") == "true":
            names = names or [conclusion.toolchain for conclusion in conclusions]
            self._on_github(list(zip(names, conclusions, strict=True)))
        if self._junit:
            from harness.report import outfile
            from harness.report.junit import junit

            outfile.write(self._junit, junit(conclusions, self._targets, self._ways))

    def _on_github(self, checks: Sequence[tuple[str, Conclusion]]) -> None:
        from harness.report import github

        # Stdout holds one JSON document; the runner reads stderr as well.
        tell = output.log if self._as_json else output.write
        for annotation in github.annotations(checks):
            tell(annotation)
        if path := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(github.summary(checks, options.elsewhere()))
            except OSError as error:  # the verdict does not depend on it
                output.complain(f"cannot write the summary {path}: {error.strerror}")
