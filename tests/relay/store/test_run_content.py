"""Whatever a model, a page or a caller says goes in and comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest

from relay_lite.store import Draft, Gateway, Progress, Result, Store
from tests.relay.store.orders import create, held, log, order, state

pytestmark = pytest.mark.anyio

TEXTS = {
    "korean and emoji": "왜 하늘은 파란가? 👩‍🔬🇰🇷 e\u0301",
    "NUL": "before\0after",
    "half a surrogate pair": "\ud83d and \udc00",
    "backslashes": "\\u0000 \\\\ \\'\" %s ? :a $1 {}",
    "SQL": "'); DROP TABLE run; --",
    "line ends": "a\r\nb\u2028c\u0085d\x1e",
    "all ASCII": "".join(map(chr, range(128))),
    "a megabyte": "가나다 😀" * 72_000,
    "nothing": "",
}


@pytest.fixture(params=TEXTS.values(), ids=TEXTS)
def text(request: pytest.FixtureRequest) -> str:
    return request.param


async def test_events_keep_every_letter(store: Store, text: str) -> None:
    run = await held(store)
    data = {"text": text, text[:50]: [text[:50], {"deep": None}], "number": 1.5, "yes": True}
    await store.append(run.id, run.epoch, [Draft("output_text", data)], after=1)
    (event,) = await log(store, run.id, 1)
    assert event.data == data


async def test_arguments_progress_and_results_keep_every_letter(store: Store, text: str) -> None:
    run = await held(store, arguments={"research_question": text})
    assert run.arguments == {"research_question": text}
    progress = Progress(1, upstream_id=text, way=text[:9])
    result = Result(text, {text[:50]: [text]}, text, text[:9])
    end = [Draft("completed", {"output_text": text})]
    await store.append(
        run.id, run.epoch, end, after=1, status="completed", progress=progress, result=result
    )
    now = await state(store, run.id)
    assert (now.progress, now.result) == (progress, result)


NAMES = [text for name, text in TEXTS.items() if name not in ("a megabyte", "nothing")]


@pytest.mark.parametrize("name", [*NAMES, "../..", "%2e", "x" * 5000], ids=ascii)
async def test_names_may_have_any_letters(store: Store, name: str) -> None:
    """Ids, callers, keys, workers, gateways, models: some come from outside."""
    assert await store.get(name) is None
    gateway = Gateway(name, name)
    run = await create(store, name, caller=name, idempotency_key=name, digest=name, gateway=gateway)
    assert (run.id, run.caller, run.gateway) == (name, name, gateway)
    again, fresh = await store.create(
        order(caller=name, idempotency_key=name, digest=name), limit=9
    )
    assert (again.id, fresh) == (name, False)
    assert [found.id for found in await store.listing(name)] == [name]
    assert await store.waiting(gateway) == [name]
    (claimed,) = await store.claim(name, gateway, lease=5, limit=1, ids=[name])
    assert claimed.worker == name
    assert await store.renew(name, lease=5) == {name}
    await store.append(name, claimed.epoch, [Draft(name, {})], after=1)
    assert [event.type for event in await log(store, name)] == ["status", name]
    await store.learn(gateway, name, {name: name})
    assert await store.knowledge(gateway, name) == {name: name}
    await store.release(name, [name])
    assert await store.cancel(name) is not None
    assert await store.delete(name)


async def test_names_that_only_look_alike_stay_apart(store: Store) -> None:
    alike = ["a\0", "a\\u0000", "a", "A", "a ", "\ud800", "\\ud800"]
    for number, id in enumerate(alike):
        await create(store, id, arguments={"number": number})
    assert [(await state(store, id)).arguments["number"] for id in alike] == [*range(len(alike))]


NUMBERS: list[Any] = [float("inf"), 10**400, -(2**63), 1e308, 0.1, -0.0]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: str(number)[:12])
async def test_numbers_stay_what_they_are(store: Store, number: Any) -> None:
    run = await held(store)
    await store.append(run.id, run.epoch, [Draft("usage", {"tokens": number})], after=1)
    assert (await log(store, run.id, 1))[0].data == {"tokens": number}


async def test_a_deep_document_stays_whole(store: Store) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": [deep]}
    run = await held(store, arguments=deep)
    result = Result(response=deep)
    await store.append(run.id, run.epoch, [Draft("source", deep)], after=1, result=result)
    assert run.arguments == deep
    assert (await log(store, run.id, 1))[0].data == deep
    assert (await state(store, run.id)).result == result
