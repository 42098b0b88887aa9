"""Where the library's documents come from: the corpus, the toolkit itself, folders of the user.

Reading is bounded (files, bytes, depth) and stays inside the folder: symbolic links are not
followed, hidden and unreadable files are passed over. Pages have addresses under `sandbox.invalid`,
a name that by RFC 2606 never resolves: links survive cleaning and lead nowhere.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from kit.sandbox.pages import Page, read_page

ADDRESS = "https://sandbox.invalid"
HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
PACKED_TOOLKIT = HERE / "toolkit"
CHECKOUT = HERE.parent.parent
ENDINGS = (".md", ".txt", ".ipynb", ".csv")
MOST_FILES = 1000
MOST_BYTES_OF_A_FILE = 1_000_000
MOST_BYTES = 8_000_000
DEEPEST = 8

Stamp = tuple[str, int, int]


@cache
def built_in() -> tuple[Page, ...]:
    """The corpus and the toolkit's own documents; they do not change while a process runs."""
    return (*_corpus(), *_toolkit())


def folder_stamps(folders: Sequence[Path]) -> tuple[Stamp, ...]:
    """Every document of the folders with its time and size: differs when something changed."""
    stamps: list[Stamp] = []
    for folder in folders:
        for path in _walk(folder, DEEPEST):
            try:
                status = path.stat()
            except OSError:
                continue
            stamps.append((str(path), status.st_mtime_ns, status.st_size))
            if len(stamps) >= MOST_FILES:
                return tuple(stamps)
    return tuple(stamps)


def folder_pages(folders: Sequence[Path], stamps: Sequence[Stamp]) -> Iterator[Page]:
    """The documents of the folders that can be read, until the bound on bytes is reached."""
    left = MOST_BYTES
    for name, _, size in stamps:
        if size > MOST_BYTES_OF_A_FILE or size > left:
            continue
        left -= size
        path = Path(name)
        folder = next((one for one in folders if path.is_relative_to(one)), path.parent)
        address = f"{ADDRESS}/folder/{quote(path.relative_to(folder).as_posix())}"
        if page := _page(path, address, "folder"):
            yield page


def _corpus() -> Iterator[Page]:
    """What the sandbox knows of the world, and below it what newcomers ask about the toolkit."""
    for folder, shelf in ((CORPUS, "corpus"), (CORPUS / "toolkit", "toolkit")):
        for path in sorted(folder.glob("*.md")):
            if page := _page(path, f"{ADDRESS}/{shelf}/{path.stem}", shelf):
                yield page


def _toolkit() -> Iterator[Page]:
    """README, docs and notebooks: of the checkout around the package, else those packed with it."""
    in_checkout = (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / "kit").is_dir()
    root = CHECKOUT if in_checkout else PACKED_TOOLKIT
    found = [*root.glob("README.md"), *root.glob("docs/*.md"), *root.glob("notebooks/*.ipynb")]
    for path in sorted(found)[:200]:
        name = path.relative_to(root).with_suffix("").as_posix()
        if page := _page(path, f"{ADDRESS}/toolkit/{quote(name)}", "toolkit"):
            yield page


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """The documents under a folder, by name; links and hidden entries are passed over."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth > 1:
                yield from _walk(Path(entry.path), depth - 1)
        elif entry.name.lower().endswith(ENDINGS) and entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _page(path: Path, url: str, shelf: str) -> Page | None:
    """The page of a file, or None when it cannot be read or is not what its name says."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES_OF_A_FILE).decode("utf-8-sig", "replace")
        if "\0" in content:
            return None
        return read_page(path.name, content, url=url, shelf=shelf)
    except Exception:  # whatever a broken file raises, it must not close the library
        return None
