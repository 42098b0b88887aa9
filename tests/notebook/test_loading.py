"""`import kit` and `%load_ext kit`: next to nothing."""

import subprocess
import sys

import pytest

import kit

HEAVY = [
    "aiohttp",
    "anywidget",
    "fastapi",
    "httpx",
    "ipywidgets",
    "nest_asyncio",
    "pandas",
    "pydantic",
    "starlette",
    "uvicorn",
    "kit.connect",
    "kit.gateway",
]

LOAD = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "kit")
assert shell.find_cell_magic("chat") and shell.find_line_magic("kit")
print(*sorted(set(sys.modules) - before))
"""


def test_loading_the_extension_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "kit.notebook.magics" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_kit_needs_no_ipython():
    code = "import sys, kit; kit.last; assert 'IPython' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there():
    for name in kit.__all__:
        assert hasattr(kit, name), name
        assert name in dir(kit)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'kit' has no attribute 'clint'"):
        _ = kit.clint


def test_there_is_a_version():
    assert kit.__version__[0].isdigit()


@pytest.mark.parametrize(("before", "after"), [("", "module"), ("kit = 5", "int")])
def test_loading_brings_the_name_kit_unless_it_is_taken(before, after):
    """The page says `kit.last`: it has to work without another import."""
    code = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell({before!r})
shell.run_line_magic("load_ext", "kit")
print(type(shell.user_ns["kit"]).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == after
