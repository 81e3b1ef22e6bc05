"""As much of JSON Schema as the schema of recordings uses. Anything else in it is an error."""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
REMARKS = {"$schema", "$defs", "title", "description", "default", "discriminator"}


def is_valid(value: object, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Tell whether a value is as a schema, part of `root`, says."""
    return all(
        _keeps(value, keyword, rule, schema, root)
        for keyword, rule in schema.items()
        if keyword not in REMARKS
    )


def _keeps(  # noqa: PLR0911 - a keyword each
    value: Any,  # noqa: ANN401 - what JSON holds
    keyword: str,
    rule: Any,  # noqa: ANN401 - the same
    schema: dict[str, Any],
    root: dict[str, Any],
) -> bool:
    match keyword:
        case "$ref":
            target = reduce(operator.getitem, rule.removeprefix("#/").split("/"), root)
            return is_valid(value, target, root)
        case "anyOf":
            return any(is_valid(value, choice, root) for choice in rule)
        case "enum":
            return value in rule
        case "exclusiveMinimum":
            return bool(value > rule)
        case "exclusiveMaximum":
            return bool(value < rule)
        case "type":
            return TYPES[rule](value)
        case "required":
            return set(rule) <= set(value)
        case "properties":
            return all(is_valid(value[k], rule[k], root) for k in rule if k in value)
        case "items":
            return all(is_valid(item, rule, root) for item in value)
    raise ValueError(f"{keyword} in {schema}")
