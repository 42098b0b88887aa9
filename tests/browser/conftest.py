"""A real JupyterLab in a real Chromium, and where its pictures go.

Chromium is Debian's: `apt-get install chromium fonts-noto-cjk`. A page is ready when document,
session and kernel are; waiting for an idle kernel alone comes too early and meets a dialog.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.waiting import pauses

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "out" / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

CHROMIUM_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
LAB_FLAGS = (
    *("--no-browser", "--ServerApp.ip=127.0.0.1", "--LabApp.news_url=None"),
    *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",),
    *("--LabApp.extension_manager=readonly", "--ServerApp.terminals_enabled=False"),
    *("--expose-app-in-browser", "--ServerApp.log_level=WARN", "--ServerApp.port_retries=0"),
)
READY = """async (path) => {
  const end = Date.now() + 240000;  // a first kernel compiles all it imports
  while (Date.now() < end) {
    const widget = window.jupyterapp?.shell?.currentWidget;
    if (widget?.context?.path === path && widget.sessionContext) {
      await widget.context.ready; await widget.sessionContext.ready; await widget.revealed;
      const kernel = widget.sessionContext.session?.kernel;
      if (kernel?.connectionStatus === 'connected' && kernel.status === 'idle') return;
    }
    await new Promise(done => setTimeout(done, 50));
  }
  throw new Error('the notebook did not become ready');
}"""
START_ALL = """() => {
  window.kitDone = false;
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => {window.kitDone = true});
}"""
RUN_CELL = """async cell => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell;
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
START_CELL = """cell => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = cell;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""
IS_IDLE = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
OUTPUTS = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON()
  .cells.map(cell => cell.outputs || [])"""
INTERRUPT = "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"
BOTTOM = """panel => {
  const outer = document.querySelector(panel + ' .jp-WindowedPanel-outer');
  return outer.getBoundingClientRect().top + Math.max(...[...outer.querySelectorAll('.jp-Cell')]
    .map(cell => cell.offsetTop + cell.offsetHeight));
}"""
TO_TOP = "panel => { document.querySelector(panel + ' .jp-WindowedPanel-outer').scrollTop = 0 }"
PATIENT = """() => {
  const later = window.setTimeout;
  window.setTimeout = (act, ms, ...more) => later(act, ms === 5000 ? 600000 : ms, ...more);
}"""  # a button that asks "for good?" asks five seconds long: too short for a busy machine
LOAD = """import os, pathlib, time
from kit.sandbox.app import create_app
os.environ.update(KIT_SANDBOX_PACE="{pace}", XDG_DATA_HOME=os.path.abspath("{name}-data"))
ahead = pathlib.Path("{name}.ahead").absolute()
create_app.__kwdefaults__["clock"] = lambda: (
    time.time() + (500 * ahead.stat().st_size if ahead.exists() else 0))
%load_ext kit
from kit.notebook import frontend
frontend.HELLO_SECONDS = 1000.0"""
"""A first cell. A run takes `pace` times half a minute, or until `let_time_pass`; a hello may come
as late as it likes."""
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # every cell is in the page, also those out of sight: for pictures, and to be found
    "notebook-extension/tracker": {"windowingMode": "none"},
}
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"


@dataclass
class Lab:
    """A running server; `folder` is its root."""

    url: str
    token: str
    folder: Path


@dataclass
class OpenNotebook:
    """A notebook in a page, with a kernel."""

    page: Any
    ahead: Path

    def let_time_pass(self) -> None:
        """What the sandbox of LOAD has under way ends now."""
        with self.ahead.open("a") as file:
            file.write("1")

    def start(self) -> None:
        """Start running every cell, and return."""
        self.page.evaluate(START_ALL)

    def run(self) -> None:
        """Run every cell, to the end or to the first that fails."""
        self.start()
        self.page.wait_for_function("() => window.kitDone")

    def run_cell(self, cell: int) -> None:
        """Run one cell, to its end."""
        self.page.evaluate(RUN_CELL, cell)

    def start_cell(self, cell: int) -> None:
        """Start one cell, and return."""
        self.page.evaluate(START_CELL, cell)

    def load_again(self, name: str) -> None:
        """What F5 does."""
        self.page.reload()
        self.page.wait_for_function("() => !!window.jupyterapp")
        self.page.evaluate(READY, name)

    def is_idle(self) -> bool:
        """Whether its kernel is there and has nothing to do."""
        return self.page.evaluate(IS_IDLE)

    def edit(self, cell: int) -> Any:
        """Put the cursor into a cell; the element to type into."""
        editor = self.page.locator(f"{PANEL} .jp-Notebook .jp-Cell").nth(cell)
        content = editor.locator(".cm-content")
        content.click()
        return content

    def interrupt(self) -> None:
        self.page.evaluate(INTERRUPT)

    def outputs(self) -> list[list[dict[str, Any]]]:
        """What would be saved: the outputs of each cell."""
        return self.page.evaluate(OUTPUTS)

    def output(self, cell: int) -> Any:
        """The output area of the `cell`-th code cell, as the page shows it."""
        cells = self.page.locator(f"{PANEL} .jp-Notebook .jp-CodeCell")
        return cells.nth(cell).locator(".jp-OutputArea").first

    def picture(self, name: str) -> Path:
        """The whole notebook as a picture, however long."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        bottom = self.page.evaluate(BOTTOM, PANEL)
        self.page.set_viewport_size({"width": 1280, "height": max(int(bottom) + 80, 600)})
        self.page.evaluate(TO_TOP, PANEL)
        self.page.wait_for_timeout(700)
        place = PICTURES / f"{name}.png"
        self.page.screenshot(path=place)
        self.page.set_viewport_size({"width": 1280, "height": 900})
        return place


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a folder of its own, with a home of its own."""
    with running_lab(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("lab-home")) as lab:
        yield lab


@contextlib.contextmanager
def running_lab(folder: Path, home: Path) -> Iterator[Lab]:
    """Start JupyterLab, and end it."""
    for name, setting in SETTINGS.items():
        file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting))
    token, port = secrets.token_hex(16), free_port()
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each kernel would compile it all again
    flags = [*LAB_FLAGS, f"--port={port}", f"--ServerApp.root_dir={folder}"]
    if os.geteuid() == 0:
        flags.append("--allow-root")
    log = home / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *flags],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", process, log)
        yield Lab(f"http://127.0.0.1:{port}", token, folder)
    finally:
        process.terminate()
        process.wait(300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium: apt-get install chromium fonts-noto-cjk")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_FLAGS])
        yield browser
        browser.close()


Opener = Callable[..., OpenNotebook]


def opened(
    lab: Lab, browser: Any, name: str, cells: list[str] | None = None, *, theme: str = ""
) -> OpenNotebook:
    """Write the notebook (if cells are given), and open it in a page of its own."""
    if cells is not None:
        (lab.folder / name).write_text(json.dumps(notebook(cells)))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(240_000)
    page.add_init_script(f"({PATIENT})()")
    page.goto(f"{lab.url}/lab/tree/{name}?reset&token={lab.token}")
    page.wait_for_function("() => !!window.jupyterapp")
    page.evaluate(READY, name)
    if theme:
        change = "t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})"
        page.evaluate(change, theme)
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    return OpenNotebook(page, lab.folder / f"{name}.ahead")


@pytest.fixture
def open_notebook(lab: Lab, browser: Any) -> Iterator[Opener]:
    """`open_notebook("name.ipynb", cells)`; the page is closed with the test."""
    open_ones: list[OpenNotebook] = []

    def open_it(name: str, cells: list[str] | None = None, *, theme: str = "") -> OpenNotebook:
        open_ones.append(opened(lab, browser, name, cells, theme=theme))
        return open_ones[-1]

    yield open_it
    for one in open_ones:
        one.page.close()


def notebook(cells: list[str]) -> dict[str, Any]:
    """A notebook of code cells; without a kernelspec a dialog would ask for one."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    code = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": cell,
            "outputs": [],
            "execution_count": None,
        }
        for number, cell in enumerate(cells)
    ]
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": code}


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for pause in pauses():
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=300).close()
            return
        time.sleep(pause)
    raise RuntimeError(log.read_text()[-2000:])
