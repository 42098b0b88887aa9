"""Records in the caller's own text: a line is a record, read as a function's arguments are."""

import re

from kit.sandbox.arguments import Filler
from kit.sandbox.lexicon import meanings_of, together
from kit.sandbox.schema import Schema
from kit.sandbox.words import sentences

LINES = re.compile(r"\n+|;\s+|(?<=\)),?\s+(?:and\s+|와\s+|과\s+|및\s+)?|(?<=\)),\s*")


def records_in(text: str) -> list[str]:
    """The stretches of a text that may each be a record: its lines, else its sentences."""
    lines = [one.strip(" -*•\t") for one in LINES.split(text) if one.strip(" -*•\t")]
    return lines if len(lines) > 1 else sentences(text)


def read_record(schema: Schema, text: str) -> tuple[dict[str, object], bool]:
    """The fields of an object that a text gives, and whether it gives all that are required."""
    names = together(meanings_of(str(name)) for name in schema.get("properties", {}))
    filler = Filler(text, names, schema, insist=False)
    values = filler.record(schema, 0)
    return values, bool(values) and not filler.missing
