"""What a test does without the thing it needs."""

import os
from typing import NoReturn

import pytest


def lacking(what: str, mend: str = "") -> NoReturn:
    """Skip the test, or with CI=true, where all is to be had, fail it."""
    said = f"{what}: {mend}" if mend else what
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)
