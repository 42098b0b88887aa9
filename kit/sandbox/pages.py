"""Documents become pages, pages become passages.

A page is one document with a title and a plain text; a passage is a stretch of it under one
heading, short enough to quote from. Markdown, text, notebooks and CSV are read; markup that
would survive a quotation (images, link targets, HTML) is taken off here, once.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kit.sandbox.words import language

LONGEST_PASSAGE = 900
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Page:
    """One document. `shelf` is where it stands: `corpus`, `toolkit` or `folder`."""

    url: str
    title: str
    summary: str
    text: str
    language: str
    shelf: str
    also: str = ""
    """Other names of the subject, in any language: they are searched and never shown."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a page under one heading."""

    page: Page
    heading: str
    text: str


def read_page(name: str, content: str, *, url: str, shelf: str) -> Page | None:
    """The page that a file's content makes, by the ending of its name; None when it holds none."""
    kind = name.rsplit(".", 1)[-1].lower()
    readers = {"md": _markdown, "txt": _plain, "ipynb": _notebook, "csv": _table}
    if shelf == "toolkit":
        readers["ipynb"] = _prose  # its cells are examples: they speak of the world, not of the kit
        content = FENCED.sub("", content)
    fields = readers[kind](name, content)
    text = fields["text"].strip()
    if not text:
        return None
    return Page(
        url=url,
        title=_one_line(fields["title"])[:120] or name,
        summary=_one_line(fields.get("summary", ""))[:300],
        text=text,
        language=fields.get("language") or language(text[:4000]),
        shelf=shelf,
        also=fields.get("also", ""),
    )


def passages(page: Page) -> Iterator[Passage]:
    """The page cut under its headings into passages of at most `LONGEST_PASSAGE` characters."""
    heading = ""
    for block in _blocks(page.text):
        if block.startswith("#"):
            heading = block.lstrip("#").strip()
            continue
        for start in range(0, len(block), LONGEST_PASSAGE):
            yield Passage(page, heading, block[start : start + LONGEST_PASSAGE])


def _blocks(text: str) -> Iterator[str]:
    """Headings, and the paragraphs between them gathered up to a passage's length."""
    gathered: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=#{1,6} )|(?<=\n)(?=#{1,6} )", text):
        paragraph = paragraph.strip()
        if paragraph.startswith("#") and "\n" in paragraph:
            head, paragraph = paragraph.split("\n", 1)
            yield from _flushed(gathered)
            yield head
        elif paragraph.startswith("#"):
            yield from _flushed(gathered)
            yield paragraph
            continue
        if sum(map(len, gathered)) + len(paragraph) > LONGEST_PASSAGE:
            yield from _flushed(gathered)
        if paragraph.strip():
            gathered.append(paragraph.strip())
    yield from _flushed(gathered)


def _flushed(gathered: list[str]) -> Iterator[str]:
    if gathered:
        yield "\n\n".join(gathered)
        gathered.clear()


FENCED = re.compile(r"^```[^\n]*\n(?:(?!```)[^\n]*\n)*```$", re.M)
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)
TARGET = r"\((?:[^()\n]|\([^()\n]{0,200}\)){0,500}\)"


def _markdown(name: str, content: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    content = content.replace("\r\n", "\n")
    if front := FRONT_MATTER.match(content):
        content = content[front.end() :]
        for line in front.group(1).splitlines():
            key, _, value = line.partition(":")
            fields[key.strip()] = value.strip()
    text = _unmarked(content)
    first = re.search(r"^#{1,2} +(.+)$", text, re.M)
    known = {key: fields[key] for key in ("summary", "language", "also") if key in fields}
    title = fields.get("title") or (first.group(1) if first else _stem_of(name))
    if first and not fields.get("title"):
        text = text.replace(first.group(0), "", 1)
    return {"title": title, "text": text, **known}


def _unmarked(content: str) -> str:
    """Markdown without what must not survive a quotation; fences keep their lines, indented."""
    content = _without_comments(_fences_indented(content))
    content = re.sub(r"</?[A-Za-z][^<>\n]{0,300}>", "", content)
    content = re.sub(rf"!\[[^\]\n]{{0,200}}\]{TARGET}", "", content)
    content = re.sub(rf"\[([^\]\n]{{1,200}})\]{TARGET}", r"\1", content)
    content = re.sub(r"(\*\*|__)(\S[^*\n]{0,300}?)\1", r"\2", content)
    return _unwrapped(content)


def _unwrapped(content: str) -> str:
    """Paragraphs that an editor wrapped, each on one line; everything else keeps its lines."""
    lines: list[str] = []
    open_paragraph = False
    for line in content.split("\n"):
        plain = bool(line.strip()) and not re.match(r"\s{4}|\s*(?:[#>|]|[-*+] |\d+[.)] )", line)
        if plain and open_paragraph:
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
        in_list = bool(re.match(r"\s*(?:[-*+] |\d+[.)] )", line))
        open_paragraph = plain or in_list
    return "\n".join(lines)


def _fences_indented(content: str) -> str:
    """Fenced code as indented code, in one pass: a pattern would start anew at each fence."""
    lines: list[str] = []
    fence = ""
    for line in content.split("\n"):
        mark = line.lstrip()[:3]
        if not fence and mark in ("```", "~~~"):
            fence = mark
        elif fence and line.strip() == fence:
            fence = ""
        else:
            lines.append(f"    {line}" if fence else line)
    return "\n".join(lines)


def _without_comments(content: str) -> str:
    """HTML comments taken off; one that never closes is left as it is."""
    kept: list[str] = []
    place = 0
    while (start := content.find("<!--", place)) >= 0:
        end = content.find("-->", start)
        if end < 0:
            break
        kept.append(content[place:start])
        place = end + 3
    return "".join(kept) + content[place:]


def _plain(name: str, content: str) -> dict[str, str]:
    content = content.replace("\r\n", "\n")
    first = content.strip().split("\n", 1)[0]
    return {"title": first if 0 < len(first) <= 80 else _stem_of(name), "text": content}


def _prose(name: str, content: str) -> dict[str, str]:
    """A notebook's prose alone."""
    document: Any = json.loads(content)
    cells = [cell for cell in document.get("cells", []) if cell.get("cell_type") == "markdown"]
    return _notebook(name, json.dumps({"cells": cells}))


def _notebook(name: str, content: str) -> dict[str, str]:
    """A notebook's cells: prose as it is, code indented; outputs stay out."""
    document: Any = json.loads(content)
    parts: list[str] = []
    for cell in document.get("cells", []):
        source = cell.get("source", "")
        source = source if isinstance(source, str) else "".join(map(str, source))
        if cell.get("cell_type") == "markdown":
            parts.append(source)
        elif cell.get("cell_type") == "code" and source.strip():
            parts.append("\n".join(f"    {line}" for line in source.split("\n")))
    return _markdown(name, "\n\n".join(parts))


def _table(name: str, content: str) -> dict[str, str]:
    """A table's rows as sentences, `column: value; column: value`, under the table's name."""
    rows = csv.reader(io.StringIO(content))
    columns: list[str] = next(rows, list[str]())
    lines = [f"Columns: {', '.join(columns)}."]
    for _, row in zip(range(MOST_ROWS), rows, strict=False):
        pairs = (f"{column}: {value}" for column, value in zip(columns, row, strict=False))
        lines.append("; ".join(pairs) + ".")
    return {"title": _stem_of(name), "text": "\n\n".join(lines)}


def _stem_of(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("_", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split())
