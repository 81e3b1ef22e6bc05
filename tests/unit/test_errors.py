"""Each error's sentence has the same shape, so that "error: ..." and "mend: ..." read alike."""

import ast
from collections.abc import Iterator
from pathlib import Path

import harness
from harness import errors

ROOT = Path(harness.__file__).parent
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.HarnessError)
} | {"LayoutError"}


def sentences() -> Iterator[tuple[str, str]]:
    """Where each sentence stands, and its text; "{}" for what is filled in."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            mends = [keyword.value for keyword in node.keywords if keyword.arg == "mend"]
            for part in [*node.args[:1], *mends] if node.func.id in KINDS else ():
                if isinstance(part, ast.Constant | ast.JoinedStr):
                    pieces = part.values if isinstance(part, ast.JoinedStr) else [part]
                    text = [str(p.value) if isinstance(p, ast.Constant) else "{}" for p in pieces]
                    yield f"{path.relative_to(ROOT)}:{part.lineno}", "".join(text)


def is_in_style(text: str) -> bool:
    word = text.partition(" ")[0]
    begins = word == word.lower() or word.isupper()  # DEBUGCALL_TIME_SCALE
    return begins and (not text.endswith(".") or text.endswith(("...", " .")))


def test_no_sentence_begins_large_or_ends_with_a_full_stop() -> None:
    found = list(sentences())
    assert len(found) > 100
    assert [sentence for sentence in found if not is_in_style(sentence[1])] == []
