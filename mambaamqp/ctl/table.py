"""Rows as a table for people: columns as wide as they need to be, nothing that could move a terminal."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

Row = dict[str, Any]


def lines(rows: Sequence[Row], columns: Sequence[str], *, heading: bool = True) -> Iterator[str]:
    """The table, line by line; without rows the heading alone."""
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    table = [list(columns), *cells] if heading else cells
    widths = [max((len(line[place]) for line in table), default=0) for place in range(len(columns))]
    for line in table:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def cell(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
