"""The layout is the architecture: each room imports only rooms to its left.

The imports are read from the source, those inside functions and by name included, so that no
circle hides in a function.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kit

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]

# From left to right; what stands on one line does not import its neighbours. A module belongs
# to the room that names it or its package; the first word of a file split by size names it too
# (`clean_writing` is of the room of `clean`).
ROOMS = (
    (
        *("kit.errors", "kit.secret", "kit.address", "kit.sources", "kit.trust", "kit.settings"),
        *("kit.keys", "kit.blocking", "kit.clean", "kit.piped", "kit.serving"),
    ),
    ("kit.gateway",),
    ("kit.tools",),
    ("kit.relay",),
    ("kit.batch",),
    ("kit.sandbox", "relay_lite"),
    ("kit.local",),
    ("kit.connect",),
    ("kit.notebook",),
    ("kit", "kit.command", "kit.__main__", "relay_lite.__main__"),
)

# Inside a room nothing goes in circles; inside these, the order is also this one.
INSIDE = (
    (
        *("kit.gateway.sse", "kit.gateway.json_text", "kit.gateway.events", "kit.gateway.item"),
        *("kit.gateway.citations", "kit.gateway.completion", "kit.gateway.assembly"),
        *("kit.gateway.refusal", "kit.gateway.marks", "kit.gateway.card", "kit.gateway.show"),
        *("kit.gateway.usage", "kit.gateway.answer"),
        *("kit.gateway.attachments", "kit.gateway.schemas", "kit.gateway.structured"),
        *("kit.gateway.wire", "kit.gateway.failures"),
        *("kit.gateway.proxies", "kit.gateway.transport", "kit.gateway.unreached"),
        *("kit.gateway.body", "kit.gateway.checking", "kit.gateway.request"),
        *("kit.gateway.exchange",),
        *("kit.gateway.stream", "kit.gateway.blocking_stream"),
        *("kit.gateway.following", "kit.gateway.ledger", "kit.gateway.options_by_name"),
        *("kit.gateway.capabilities", "kit.gateway.asking", "kit.gateway.client"),
        *("kit.gateway.doctor",),
    ),
    (
        *("kit.tools.schema", "kit.tools.limits", "kit.tools.outputs", "kit.tools.happenings"),
        *("kit.tools.work", "kit.tools.consent", "kit.tools.loop", "kit.tools.stream"),
    ),
    (
        *("kit.relay.contracts", "kit.relay.research_tool", "kit.relay.view", "kit.relay.client"),
        *("kit.relay.report_links", "kit.relay.glance", "kit.relay.book", "kit.relay.spent"),
        *("kit.relay.handle", "kit.relay.evidence", "kit.relay.report_diff"),
        *("kit.relay.report", "kit.relay.card", "kit.relay.run", "kit.relay.research_work"),
    ),
    (
        *("kit.connect_desk", "kit.connect_tools", "kit.connect"),
        *("kit.connect_compatible", "kit.connect_research"),
        *("kit.connect_usage_sums", "kit.connect_usage_html", "kit.connect_usage_chart"),
        *("kit.connect_usage",),
    ),
    (
        *("relay_lite.supervision", "relay_lite.store", "relay_lite.hold", "relay_lite.auth"),
        *("relay_lite.sqlite", "relay_lite.postgres"),
        *("relay_lite.brief", "relay_lite.text", "relay_lite.telling", "relay_lite.outline"),
        *("relay_lite.spending", "relay_lite.ending", "relay_lite.upstream", "relay_lite.course"),
        *("relay_lite.submitting", "relay_lite.following", "relay_lite.finishing"),
        *("relay_lite.research", "relay_lite.feed", "relay_lite.engine"),
        *("relay_lite.team", "relay_lite.chat", "relay_lite.problems", "relay_lite.event_stream"),
        *("relay_lite.routes", "relay_lite.app"),
    ),
)

EMPTY_NAMES = {"utils", "util", "helpers", "common", "base", "misc"}
FRONT_ENDS = {"IPython", "ipykernel", "ipywidgets", "anywidget", "traitlets"}
READS_THE_ENVIRONMENT = {"kit.settings"}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """The source of every module of ours, by dotted name."""
    found: dict[str, ast.Module] = {}
    for file in sorted(
        path for top in ("kit", "relay_lite") for path in (ROOT / top).rglob("*.py")
    ):
        parts = file.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text("utf-8"), str(file))
    return found


def files() -> list[Path]:
    return sorted(file for top in ("kit", "relay_lite") for file in (ROOT / top).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that `tree` imports, as it names it; `from a import b` is `a` and `a.b`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                yield "a relative import"
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if called(node) in (
                *("import_module", "importlib.import_module", "__import__"),
            ):
                yield name


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def ours(name: str, tree: ast.AST) -> set[str]:
    """The modules of ours that module `name` imports: the longest name that is one."""
    found: set[str] = set()
    for imported in imports(tree):
        while imported and imported not in modules():
            imported = imported.rpartition(".")[0]
        found |= {imported} - {"", name}
    return found


def room_of(module: str) -> int:
    """The number of a module's room, counted from the left; the longest name that fits wins."""
    fitting = [
        (len(name), number)
        for number, names in enumerate(ROOMS)
        for name in names
        if belongs(module, name)
    ]
    if fitting:
        return max(fitting)[1]
    raise LookupError(f"{module} is in no room: add it to ROOMS and to docs/architecture.md")


def belongs(module: str, name: str) -> bool:
    if name == "kit":
        return module == "kit"
    return module == name or module.startswith((f"{name}.", f"{name}_"))


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_module_imports_only_rooms_to_its_left(module: str) -> None:
    here = room_of(module)
    wrong = [
        other
        for other in ours(module, modules()[module])
        if room_of(other) > here or (room_of(other) == here and house(other) != house(module))
    ]
    assert wrong == []


def house(module: str) -> str:
    """Within the first and the last room all are of one house; elsewhere a package is one."""
    if room_of(module) in (0, len(ROOMS) - 1):
        return "kit"
    if belongs(module, "kit.connect"):
        return "kit.connect"  # and the files it is split into
    return ".".join(module.split(".")[: 1 if module.startswith("relay_lite") else 2])


def test_no_imports_go_in_circles() -> None:
    """A type may be named both ways; what is imported to run may not."""
    graph = {name: ours(name, without_types(tree)) for name, tree in modules().items()}
    del graph["kit"]  # it loads every public name at its first use
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def without_types(tree: ast.Module) -> ast.Module:
    body = [
        statement
        for statement in tree.body
        if not (isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test))
    ]
    return ast.Module(body, [])


@pytest.mark.parametrize("order", INSIDE, ids=lambda order: order[0].rpartition(".")[0])
def test_the_order_inside_a_room_holds(order: tuple[str, ...]) -> None:
    wrong = [
        f"{module} imports {other}"
        for place, module in enumerate(order)
        if module in modules()
        for other in ours(module, without_types(modules()[module])) & {*order[place + 1 :]}
    ]
    assert wrong == []


def test_no_module_bears_the_name_of_a_public_function() -> None:
    """Importing it later would put the module where the function was."""
    named = {name.removeprefix("kit.") for name in modules() if name.count(".") == 1}
    modules_of_ours = {"errors", "tools"}
    assert named & {name for name in kit.__all__ if name not in modules_of_ours} == set()


def test_no_module_has_an_empty_name() -> None:
    assert [name for name in modules() if name.rpartition(".")[2] in EMPTY_NAMES] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name
        for name, tree in modules().items()
        if {"os.environ", "os.environb", "os.getenv"} & {*imports(tree), *attributes(tree)}
    }
    assert readers - READS_THE_ENVIRONMENT == set()


def attributes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    "module", [name for name in modules() if not belongs(name, "kit.notebook")]
)
def test_only_the_notebook_room_knows_front_ends(module: str) -> None:
    imported = {name.partition(".")[0] for name in imports(modules()[module])}
    assert imported & FRONT_ENDS == set()


def test_files_and_functions_stay_readable() -> None:
    """Under 350 lines a file, at most 50 a function."""
    long = [
        f"{module}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= 50
    ]
    for file in files():
        if (lines := len(file.read_text("utf-8").splitlines())) >= 350:
            long.append(f"{file.relative_to(ROOT)} has {lines} lines")
    assert long == []


def test_a_light_import_stays_light() -> None:
    """`import kit` loads no name's module before the name is used."""
    heavy = {"pandas", "ipywidgets", "fastapi", "pydantic", "anywidget", "IPython", "httpx"}
    code = f"import sys, kit; print(*sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
