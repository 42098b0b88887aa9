"""notebooks/06-relay.ipynb on gateways that are no sandbox: its run survives, or says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from living import KEY, ROOT, Proxy, Upstream

pytestmark = pytest.mark.gateway_live


def shown(notebook: Any) -> list[str]:
    """What the last output of each cell is, as text."""
    outputs = [cell.outputs[-1] for cell in notebook.cells if cell.get("outputs")]
    return [one.data["text/plain"] for one in outputs if "data" in one]


@pytest.mark.parametrize(
    ("proxy", "model", "end"),
    [
        ("plain", "native-slow-research", "completed"),
        ("polling", "native-slow-research", "completed"),
        ("polling", "bridged-slow-research", "completed"),
        ("plain", "bridged-slowest-research", "failed"),
    ],
)
def test_its_run_ends_as_the_gateway_lets_it(
    proxy: str,
    model: str,
    end: str,
    proxies: dict[str, Proxy],
    slow: Upstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITELLM_BASE_URL", proxies[proxy].base_url)
    monkeypatch.setenv("LITELLM_API_KEY", KEY)
    monkeypatch.setenv("LITELLM_MODEL", "native")
    monkeypatch.setenv("LITELLM_RESEARCH_MODEL", model)
    notebook = nbformat.read(ROOT / "notebooks" / "06-relay.ipynb", as_version=4)
    before = len(slow.submissions("coffee"))
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=200, resources=place).execute()
    texts = shown(notebook)
    assert repr(end) in texts
    assert f"(True, 1, '{'completed' if end == 'completed' else 'error'}')" in texts
    if end == "failed":  # and says with what had come why
        told = [text for text in texts if "does not keep answers" in text]
        had = re.compile(r"finds it again, in any kernel of yours\.\n\n\S.*\(failed\)", re.S)
        assert any(had.search(text) for text in told), texts
    else:
        assert len(slow.submissions("coffee")) - before == 1
