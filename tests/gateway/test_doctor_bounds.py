"""The doctor at a gateway that means harm: it ends, it costs little, and it shows no key."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trustme

from kit import errors
from kit.gateway.capabilities import Seen
from kit.gateway.doctor_examination import Patience
from kit.gateway.doctor_finding import finding
from kit.gateway.doctor_report import Report
from kit.gateway.doctor_verdicts import of_error
from kit.gateway.doctor_words import NAMES, Told
from kit.settings import Endpoint, Secret
from tests.gateway.gateways import STREAM_HEAD, frame
from tests.gateway.loopback import Handler, Reader, Writer, read_request, reply, serving
from tests.gateway.lying import KEY, QUICK, Asked, Lie, Reply, as_json, examined, lying, refused

pytestmark = [pytest.mark.once, pytest.mark.anyio]

HASTY = Patience(
    probe=0.3, first=0.3, dear=0.3, idle=0.2, later=0.1, look=0.05, cheap_all=2.0, dear_all=1.0
)


async def seen(handler: Handler, patience: Patience = HASTY) -> Report:
    async with serving(handler) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", Secret(KEY), "m")
        return await examined(endpoint, dear=True, patience=patience)


def after_models(answer: Callable[[Writer], Awaitable[None]]) -> Handler:
    """Lists one model, and does something of its own with every POST."""

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            head, _ = await read_request(reader)
            if head.startswith("GET"):
                writer.write(reply(b'{"data": [{"id": "m"}]}', "content-type: application/json"))
                await writer.drain()
            else:
                await answer(writer)

    return handle


async def never(writer: Writer) -> None:
    await asyncio.sleep(1_000)


async def forever(writer: Writer) -> None:
    """A stream without an end, as fast as it goes."""
    writer.write(STREAM_HEAD)
    delta = {"type": "response.output_text.delta", "delta": "x" * 20_000}
    for _ in range(10_000):
        writer.write(frame(delta))
        await writer.drain()


async def dripping(writer: Writer) -> None:
    """A comment now and then: never silent, never done."""
    writer.write(STREAM_HEAD)
    while True:
        writer.write(b": still here\n\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def huge(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
    for _ in range(10_000):
        writer.write(b"1," * 10_000)
        await writer.drain()


async def page(writer: Writer) -> None:
    writer.write(reply(b"<html>Log in</html>", "content-type: text/html"))
    await writer.drain()


async def nested(writer: Writer) -> None:
    writer.write(reply(b"[" * 100_000, "content-type: application/json"))
    await writer.drain()


@pytest.mark.parametrize("answer", [never, forever, dripping, huge, page, nested])
async def test_it_ends_whatever_comes(answer: Any) -> None:
    report = await seen(after_models(answer))
    assert not report.usable
    assert report["chat"].verdict != "yes" and report["responses"].verdict != "yes"


async def test_silence_from_the_start_is_one_wait() -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(1_000)

    report = await seen(silent)
    assert report["reachable"].verdict == "no" and report.calls == 1


async def test_two_probes_without_an_answer_are_the_last() -> None:
    asked: list[int] = []

    async def counted(writer: Writer) -> None:
        asked.append(1)
        await asyncio.sleep(1_000)

    await seen(after_models(counted), replace(QUICK, probe=3.0, first=0.3))
    assert len(asked) == 2


async def test_a_gateway_that_takes_too_much_is_asked_no_more() -> None:
    """It says itself that an answer took a million tokens."""

    def dear(asked: Asked, said: Reply) -> Reply:
        if said.streamed or asked.path != "/v1/chat/completions":
            return said
        usage = {"prompt_tokens": 10, "completion_tokens": 10**6, "total_tokens": 10**6}
        return as_json({**said.object, "usage": usage})

    with lying(Lie(answer=dear)) as (endpoint, liar):
        report = await examined(endpoint, dear=True)
    posts = [one for one in liar.asked if one.method == "POST"]
    assert len(posts) == 1
    assert report["responses"].how == "spent"


async def test_a_list_of_very_many_models_is_read() -> None:
    many = [{"id": f"model-{number}"} for number in range(60_000)]
    listed = [{"id": "sandbox", "shutdown_date": "2020-01-01"}, *many]

    def telling(asked: Asked) -> Reply | Asked:
        return as_json({"data": listed}) if asked.path == "/v1/models" else asked

    with lying(Lie(telling)) as (endpoint, _):
        report = await examined(endpoint)
    assert report["models"].how == "shutdown" and "ended on 2020-01-01" in report["models"].means


async def test_what_was_not_asked_for_want_of_time_says_so() -> None:
    report = await seen(after_models(never), replace(QUICK, probe=0.5, first=0.5))
    assert report["chat stream"].how == report["history"].how == "waited"
    assert "took too long" in report["history"].means


async def test_no_key_is_shown() -> None:
    """Not where a gateway repeats it, in names, in refusals and in headers."""
    listed = {"data": [{"id": KEY, "shutdown_date": "2020-01-01"}, {"id": "sandbox"}]}

    def telling(asked: Asked) -> Reply | Asked:
        if asked.path == "/v1/models":
            return as_json(listed)
        return refused(f"{KEY} may not; Bearer {KEY}; sk-another-0123456789", 400, KEY)

    with lying(Lie(telling)) as (endpoint, _):
        report = await examined(endpoint, dear=True)
    shown = json.dumps([report._repr_mimebundle_(), repr(report), report.frame.to_csv()])
    assert KEY not in shown and "sk-another" not in shown
    assert KEY not in repr(report.findings)


async def test_a_certificate_that_nobody_trusts_is_said() -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def handle(reader: Reader, writer: Writer) -> None:
        await read_request(reader)

    async with serving(handle, context) as port:
        endpoint = Endpoint(f"https://127.0.0.1:{port}/v1", Secret(KEY), "m")
        report = await examined(endpoint, patience=QUICK)
    assert (report["reachable"].verdict, report["reachable"].how) == ("no", "certificate")
    assert "SSL_CERT_FILE" in report["reachable"].advice


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_has_its_words(name: str) -> None:
    """Whatever may go wrong with a probe, its line says something."""
    errs = (errors.BadRequest, errors.ServerFailed, errors.TimedOut, errors.ProtocolError)
    seen = [of_error(kind("x")) for kind in errs]
    verdicts: list[Any] = ["yes", "no", "partly", "unknown"]
    for one in [*seen, *(Seen(verdict) for verdict in verdicts)]:
        found = finding(name, Told(one))
        assert found.means.endswith(".") and found.told


async def test_what_a_gateway_says_stays_on_its_line() -> None:
    """It cannot turn the table into something else, nor steer a terminal."""
    evil = "<script>x</script> | [a](javascript:1)\n\n# Big \x1b[31m ‮ " + "y" * 5_000
    with lying(Lie(lambda asked: refused(evil, 404))) as (endpoint, _):
        report = await examined(replace(endpoint, model="m<b>|`x`"), patience=QUICK)
    bundle = report._repr_mimebundle_()
    assert "<script" not in bundle["text/html"] and "<b>" not in bundle["text/html"]
    assert "\x1b" not in json.dumps(bundle, ensure_ascii=False)
    assert "‮" not in bundle["text/plain"]
    assert "](javascript" not in bundle["text/markdown"]
    rows = [line for line in bundle["text/markdown"].splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert max(map(len, bundle["text/plain"].splitlines())) < 600
