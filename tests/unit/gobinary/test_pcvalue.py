import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gobinary.pcvalue import DamagedTableError, runs, varint
from tests.unit.gobinary.synthetic_table import pc_values
from tests.unit.gobinary.synthetic_table import varint as encoded_varint

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)


@st.composite
def tables(draw: st.DrawFn, quantum: int) -> list[tuple[int, int]]:
    """Runs of which no two neighbours have the same value, as the compiler merges them."""
    drawn = draw(st.lists(st.tuples(st.integers(1, 1 << 20), INT32), max_size=20))
    merged: list[tuple[int, int]] = []
    for size, value in drawn:
        if merged and merged[-1][1] == value:
            continue
        merged.append((size * quantum, value))
    return merged


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=3))
def test_a_varint_comes_back(value: int, behind: bytes) -> None:
    encoded = encoded_varint(value)
    assert varint(b"x" + encoded + behind, 1) == (value, 1 + len(encoded))


@given(st.sampled_from([1, 4]).flatmap(lambda q: st.tuples(st.just(q), tables(q))))
def test_a_table_comes_back(case: tuple[int, list[tuple[int, int]]]) -> None:
    quantum, table = case
    encoded = pc_values(table, quantum)
    # An empty table is not told from one whose first change is 0: the linker writes none.
    if table:
        found = list(runs(b"??" + encoded + b"\xff", 2, 0x1000, 1 << 60, quantum))
        assert [(hi - lo, value) for lo, hi, value in found] == table
        assert [lo for lo, _, _ in found] == [0x1000, *(hi for _, hi, _ in found[:-1])]


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_end_in_runs_inside_the_function_or_in_an_error(data: bytes, size: int) -> None:
    at = 0x1000
    try:
        for lo, hi, _ in runs(data, 0, 0x1000, 0x1000 + size, 1):
            assert lo == at < hi <= 0x1000 + size
            at = hi
    except DamagedTableError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x02", id="no advance"),
        pytest.param(b"\x02\x05", id="no end"),
        pytest.param(b"\x02\x00\x00", id="an empty run"),
        pytest.param(b"\x02\x7f\x00", id="longer than the function"),
        pytest.param(b"\x80\x80\x80\x80\x80\x80\x01\x01\x00", id="a number without end"),
    ],
)
def test_a_damaged_table_is_an_error(data: bytes) -> None:
    with pytest.raises(DamagedTableError):
        list(runs(data, 0, 0x1000, 0x1010, 1))


def test_a_table_longer_than_any_real_one_is_an_error() -> None:
    with pytest.raises(DamagedTableError):
        list(runs(b"\x02\x01" * (1 << 19) + b"\0", 0, 0, 1 << 30, 1))
