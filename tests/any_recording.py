"""Hypothesis strategies for events and for recordings, sound or not."""

import enum
import types
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from harness.recording import AnyEvent, Event, Header, Inject
from tests.recordings import HEADER

EVENT_TYPES: tuple[type[Event], ...] = get_args(AnyEvent)

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(1 << 63), (1 << 64) - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(exclude_categories=["Cs"])),
    type(None): st.none(),
}
_SMALL: dict[str, st.SearchStrategy[Any]] = {
    "call": st.integers(0, 3),
    "status": st.sampled_from([0, 1, 2, 8, 16, 3]),
    "tid": st.integers(101, 103),
    "g": st.sampled_from([0xC000002000, 0xC000004000]),
}
"""Few values for fields that only mean something where they meet again."""


def events(*kinds: type[Event]) -> st.SearchStrategy[Any]:
    """Return events of these types, or of all, with anything in their fields."""
    return st.one_of([_of(kind) for kind in kinds or EVENT_TYPES])


@cache
def colliding_events() -> st.SearchStrategy[Any]:
    """Return events that are often of the same call, thread or goroutine."""
    kinds = [kind for kind in EVENT_TYPES if kind is not Header]
    return st.one_of([_of(kind, _SMALL) for kind in kinds])


@st.composite
def disorder(draw: st.DrawFn) -> Sequence[AnyEvent]:
    """Draw a header and events in any order, of calls that may never have begun."""
    return [HEADER, *draw(st.lists(colliding_events(), max_size=15))]


@st.composite
def acceptable(draw: st.DrawFn) -> Sequence[AnyEvent]:
    """Draw what `load` accepts: each call begins once, before its other events."""
    found: list[AnyEvent] = [HEADER]
    begun: set[int] = set()
    for event in draw(st.lists(colliding_events(), max_size=15)):
        call = getattr(event, "call", None)
        if isinstance(event, Inject) and call in begun:
            continue
        if call is not None and call not in begun:
            begun.add(call)
            if not isinstance(event, Inject):
                found.append(draw(_of(Inject, {**_SMALL, "call": st.just(call)})))
        found.append(event)
    return found


def _of(
    annotation: Any,  # noqa: ANN401 - whatever stands as the type of a field
    named: dict[str, st.SearchStrategy[Any]] | None = None,
) -> st.SearchStrategy[Any]:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if get_origin(annotation) is Annotated:
        _, meta = get_args(annotation)
        low = meta.gt + 1 if meta.ge is None else meta.ge
        return st.integers(low, meta.lt - 1 if meta.le is None else meta.le)
    if get_origin(annotation) in {Union, types.UnionType}:
        return st.one_of([_of(member) for member in get_args(annotation)])
    if get_origin(annotation) is tuple:
        return st.lists(_of(get_args(annotation)[0]), max_size=3).map(tuple)
    if issubclass(annotation, enum.Enum):
        return st.sampled_from(annotation)
    fields = msgspec.structs.fields(annotation)
    known = named or {}
    return st.builds(
        annotation, **{f.name: known[f.name] if f.name in known else _of(f.type) for f in fields}
    )
