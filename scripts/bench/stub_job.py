"""What simulated workers do: nothing for some time, and an outcome of some size.

It is named to them in the place of `harness.fleet.worker.work`, and needs Python only as that does.
"""

import json
import os
import random
import threading
import time
from base64 import b64encode


def stub(task: bytes, *, owner: str) -> bytes:
    """Sleep for `seconds`, up to a third more or less, and return `outcome` bytes.

    The first line is JSON: the worker's thread, and when the job began and ended. What follows
    cannot be packed.
    """
    assert owner
    what = json.loads(task)
    began = time.monotonic()
    time.sleep(what["seconds"] * random.uniform(2 / 3, 4 / 3))
    outcome = b64encode(os.urandom(what["outcome"] * 3 // 4))
    return json.dumps([threading.get_ident(), began, time.monotonic()]).encode() + b"\n" + outcome
