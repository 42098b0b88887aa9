"""What left for the gateway, as `run.sent` and the `request` event show it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

import kit
from relay_lite.sqlite import SqliteStore
from tests.relay.research.conftest import Desk
from tests.relay.research.scripted import KEY, Scripted, refused

pytestmark = [pytest.mark.once, pytest.mark.anyio]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    store = SqliteStore(tmp_path / "runs.db")
    await store.open()
    yield Desk(store)
    await store.aclose()


async def requests(desk: Desk) -> list[Any]:
    return [event["body"] for event in await desk.said("request")]


# -- the event -----------------------------------------------------------------------------------


async def test_it_holds_the_very_body_and_no_key(desk: Desk) -> None:
    there = Scripted()
    await desk.work(there.upstream(), system_prompt="Be brief.", context=["안 것"])
    [body] = await requests(desk)
    [sent] = there.submissions
    assert body == sent
    assert KEY not in json.dumps(await desk.said("request"))


async def test_it_is_in_the_log_before_the_gateway_has_answered(desk: Desk) -> None:
    there = Scripted(refusals=[refused(400, "no")])
    await desk.work(there.upstream())
    kinds = [event.type for event in await desk.log()]
    assert kinds[:2] == ["status", "request"]
    assert kinds[-1] == "error"


async def test_no_key_text_stands_in_its_data(desk: Desk) -> None:
    """Earlier callers put every `data.text` together."""
    await desk.work(Scripted().upstream(), text_format={"type": "json_object"})
    assert all("text" not in data for data in await desk.said("request"))
    texts = [event.data.get("text", "") for event in await desk.log()]
    assert "".join(texts) == await desk.text()


async def test_a_body_that_is_sent_again_is_written_down_once(desk: Desk) -> None:
    """A gateway that refuses for hours must not fill the disk with one and the same megabyte."""
    later = [refused(429, "later", retry_after="0.01") for _ in range(20)]
    there = Scripted(refusals=later)
    await desk.work(there.upstream(), context=["x" * 100_000])
    assert len(there.submissions) == 21
    assert await requests(desk) == there.submissions[:1]


async def test_a_body_that_is_changed_for_a_gateway_is_written_down_again(desk: Desk) -> None:
    no = refused(400, "Unknown parameter: 'background'.", "unknown_parameter")
    there = Scripted(refusals=[no])
    await desk.work(there.upstream())
    assert len(there.submissions) == 2
    assert there.submissions[0] != there.submissions[1]
    assert await requests(desk) == there.submissions


async def test_whatever_letters_a_question_has_it_is_kept(desk: Desk) -> None:
    there = Scripted()
    await desk.work(
        there.upstream(), research_question="a\0b\u2028 👩‍👩‍👧‍👦", context=[{"é": None}]
    )
    assert await requests(desk) == there.submissions


# -- as its caller sees it -----------------------------------------------------------------------


def test_on_this_machine_it_is_what_the_gateway_got() -> None:
    run = kit.research("How do I stop a cell?", system="Be brief.").wait()
    sent = run.sent
    assert sent["to"] == "sandbox"
    assert "How do I stop a cell?" in sent["body"]["input"]
    assert "Be brief." in sent["body"]["instructions"]
    assert run.token not in json.dumps(sent["body"])
    again = kit.run(run.id)
    assert again.sent == sent
