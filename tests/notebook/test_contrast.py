"""What is written on the main button can be read in JupyterLab's themes."""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

READABLE = 4.5
STYLE = resources.files("kit.notebook").joinpath("web", "style.css").read_text("utf-8")
THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
MATERIAL = {"--md-blue-700": "#1976d2", "--md-blue-900": "#0d47a1"}
"""JupyterLab's own palette, where a theme names a colour of it and no value."""


def value(name: str, sheet: str) -> str:
    """A variable's colour: what it is set to, followed to its end."""
    found = re.search(rf"{name}:\s*([^;]+);", sheet)
    text = found[1].strip() if found else MATERIAL[name]
    inner = re.fullmatch(r"var\(\s*([\w-]+)\s*(?:,\s*(.+))?\)", text)
    if inner is None:
        return {"white": "#fff", "black": "#000"}.get(text, text)
    try:
        return value(inner[1], sheet)
    except KeyError:
        assert inner[2], f"{inner[1]} is set nowhere"
        return value("--rest", f"--rest: {inner[2]}; {sheet}")


def brightness(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * one for one in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


def colours(sheet: str) -> tuple[str, str]:
    (rule,) = re.findall(r"\.kit-button\.kit-main[^{}]*\{([^}]*background[^}]*)\}", STYLE)
    ground = re.search(r"background:\s*([^;]+);", rule)
    ink = re.search(r"[^-]color:\s*([^;]+);", rule)
    assert ground and ink
    both = f"{sheet}\n{STYLE}"
    return tuple(value("--it", f"--it: {one[1]}; {both}") for one in (ground, ink))


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_the_main_button_can_be_read(theme: str) -> None:
    file = THEMES / f"theme-{theme}-extension" / "index.css"
    if not file.is_file():
        pytest.skip(f"this JupyterLab has no such theme: {theme}")
    assert contrast(*colours(file.read_text("utf-8"))) >= READABLE


def test_it_can_be_read_where_no_theme_is() -> None:
    assert contrast(*colours("")) >= READABLE
