"""Every call of the documentation, and the guide's own, sent by plain curl."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kit.gateway.client import AsyncClient
from kit.local import sandbox_endpoint
from kit.secret import Secret
from kit.serving import serve_in_thread
from kit.settings import load
from kit.settings_relay import RelaySettings
from relay_lite.app import create_app
from relay_lite.app_opening import engine_of, secret_beside
from relay_lite.auth import Tokens

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "tests/data/relay/guide.sh").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(curl.*?)```", (ROOT / "docs/relay.md").read_text("utf-8"), re.DOTALL)


@dataclass
class Shell:
    """A shell in which the documentation's commands are typed, word by word."""

    url: str
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def type(self, command: str) -> str:
        port = self.url.rpartition(":")[2]
        (Path.home() / ".curlrc").write_text(
            "fail-with-body\nsilent\nshow-error\nmax-time = 20\nnoproxy = *\n"
            f'connect-to = "127.0.0.1:8080:127.0.0.1:{port}"\n'
        )
        environment = {**os.environ, "RELAY": self.url, **self.variables}
        done = subprocess.run(
            ["sh", "-c", command], env=environment, capture_output=True, timeout=30
        )
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with serving(RelaySettings(user_data=tmp_path, store=tmp_path / "r.db")) as url:
        yield Shell(url)


@pytest.fixture
def shell_with_key(tmp_path: Path) -> Iterator[Shell]:
    keys = {"alice": Secret("key-of-alice")}
    settings = RelaySettings(user_data=tmp_path, store=tmp_path / "r.db", keys=keys)
    with serving(settings) as url:
        yield Shell(url, {"KEY": "key-of-alice"})


class serving:
    """A relay over the sandbox."""

    def __init__(self, settings: RelaySettings) -> None:
        client = AsyncClient(sandbox_endpoint(load(user_data=settings.user_data)))
        secret = secret_beside(settings)
        engine = engine_of(settings, client, secret)
        app = create_app(engine, settings, Tokens(secret))
        self.served = serve_in_thread(app, closing=engine.stop)

    def __enter__(self) -> str:
        return self.served.url

    def __exit__(self, *_exception: object) -> None:
        self.served.stop()


def test_the_guides_command_works_as_it_stands(shell: Shell) -> None:
    answer = json.loads(shell.type(GUIDE))
    assert answer["tool_called"] is True
    assert answer["tool_name"] == "deep_research"
    assert "짜장면" in answer["content"]
    assert "짜장면" in answer["research_summary"]


def test_every_command_of_the_documentation_works(shell: Shell) -> None:
    said: list[str] = []
    for block in BLOCKS:
        if "Authorization" in block:
            continue
        said.append(shell.type(block))
        if "ID" not in shell.variables:
            run: dict[str, Any] = json.loads(said[0])
            shell.variables = {"ID": run["invocation_id"], "TOKEN": run["invocation_token"]}
    assert len(said) == len(BLOCKS) - 1
    assert [one for one in said if "event: completed" in one]


def test_the_lists_command_works_with_a_key(shell_with_key: Shell) -> None:
    (block,) = (block for block in BLOCKS if "Authorization" in block)
    assert json.loads(shell_with_key.type(block)) == {"data": [], "next_cursor": None}
    begin = BLOCKS[0].replace("-H ", '-H "Authorization: Bearer $KEY" -H ', 1)
    run = json.loads(shell_with_key.type(begin))
    (listed,) = json.loads(shell_with_key.type(block))["data"]
    assert listed["invocation_id"] == run["invocation_id"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({}, "200"),
        ({"background": True}, "202"),
        ({"stream": True}, "202"),
        ({"stream": True, "background": True}, "422"),
        ({"deliverable_format": "json_outline"}, "200"),
        ({"text_format": {"type": "text"}, "context": ["한글"], "constraints": ["짧게"]}, "200"),
    ],
)
def test_each_mode_by_curl(shell: Shell, arguments: dict[str, Any], status: str) -> None:
    given = {"research_question": "짜장면의 역사", "system_prompt": None, **arguments}
    body = json.dumps({"tool_name": "deep_research", "arguments": given}, ensure_ascii=False)
    Path("body.json").write_text(body, "utf-8")
    command = (
        "curl --no-fail-with-body -o /dev/null -w '%{http_code}' -d @body.json"
        ' -H "Content-Type: application/json" $RELAY/api/v1/tool-invocations'
    )
    assert shell.type(command) == status
