"""Tables' names in the names of public topics, and back."""

from __future__ import annotations

from hashlib import blake2b

_ESCAPED_MOST = 180
"""Of a table's name in a topic's: with a namespace of 32 characters, the kind and a label of 18 a topic's name stays
below Kafka's 249."""


def stream_topic(table: str, label: str) -> str:
    """Name of a stream's topic below `<ns>.stream.`; test vectors in tests/vectors/stream_topics.json.

    | in the table's name             | in the topic's                                                      |
    |---------------------------------|---------------------------------------------------------------------|
    | letters, digits, -              | the same                                                            |
    | _                               | __                                                                  |
    | .                               | _-                                                                  |
    | more than 180 characters by now | the first 140 (no half escape), _x, 32 hexadecimal digits (BLAKE2b) |

    Then a dot and the label without -, : and dots. Kafka allows 249 characters and takes a.b and a_b for one name in
    some of its metrics; between the dots of ours there are none, so two names never differ in that alone.
    """
    return f"{escaped(table)}.{''.join(each for each in label if each.isalnum())}"


def escaped(table: str) -> str:
    """A table's name in a topic's, by the table above."""
    name = "".join(_ESCAPES.get(each, each) for each in table)
    if len(name) > _ESCAPED_MOST:
        kept = name[: _ESCAPED_MOST - 40]
        if (len(kept) - len(kept.rstrip("_"))) % 2:
            kept = kept[:-1]
        name = f"{kept}_x{blake2b(table.encode(), digest_size=16).hexdigest()}"
    return name


_ESCAPES = {"_": "__", ".": "_-"}


def table_of_stream_topic(name: str) -> str | None:
    """The table's name, from a topic's name below `<ns>.stream.`; None where it was shortened."""
    escaped = name.partition(".")[0]
    table, position = "", 0
    while position < len(escaped):
        each = escaped[position : position + 2] if escaped[position] == "_" else escaped[position]
        if each not in ("__", "_-") and each[0] == "_":
            return None
        table += {"__": "_", "_-": "."}.get(each, each)
        position += len(each)
    return table
