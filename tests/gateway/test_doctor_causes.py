"""What the doctor says of a gateway that cannot be used: the one cause, and the next step."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from kit.gateway.doctor_examination import Patience
from kit.gateway.doctor_report import Report
from kit.settings import Endpoint, Secret
from tests.gateway.loopback import Handler, Reader, Writer, read_request, reply, serving
from tests.gateway.lying import KEY, QUICK, Asked, Lie, Reply, as_json, examined, lying, refused

pytestmark = [pytest.mark.once, pytest.mark.anyio]


def page(status: int = 200) -> Reply:
    return Reply(b"<!doctype html><h1>Welcome</h1>", status, "text/html")


PASSED_ON = refused("litellm.AuthenticationError: OpenAIException - Incorrect API key", 401)
DEAD = refused("litellm.InternalServerError: OpenAIException - Connection error.", 500)
LOST = as_json({"detail": "Not Found"}, 404)
BUDGET = refused("Budget has been exceeded", 429, "budget_exceeded")


async def of(reply: Any, *, listed: bool = False, model: str | None = "sandbox") -> Report:
    """The report of a gateway that answers everything so; `listed`: but it lists its models."""

    def ask(asked: Asked) -> Any:
        return asked if listed and asked.method == "GET" else reply

    with lying(Lie(ask)) as (endpoint, _):
        return await examined(replace(endpoint, model=model))


async def heard(handler: Handler, scheme: str = "http") -> Report:
    hasty = Patience(probe=2.0, first=2.0, idle=1.0, cheap_all=5.0)
    async with serving(handler) as port:
        endpoint = Endpoint(f"{scheme}://127.0.0.1:{port}/v1", Secret(KEY), "m")
        return await examined(endpoint, patience=hasty)


def shown(report: Report) -> str:
    return json.dumps([report._repr_mimebundle_(), repr(report)], ensure_ascii=False)


@pytest.mark.parametrize("model", ["sandbox", None])
@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (page(), "a web page"),
        (page(502), "a web page (status 502)"),
        (page(501), "a web page (status 501)"),
        (as_json({"status": "ok"}), "JSON that is no answer of a model"),
        (Reply(b"", 302, headers={"location": "/login"}), "status 302"),
    ],
)
async def test_a_server_that_is_no_gateway_is_called_none(
    answer: Reply, what: str, model: str | None
) -> None:
    report = await of(answer, model=model)
    assert not report.usable and report.cause == "no gateway"
    assert report["reachable"].verdict == "no"
    assert report["reachable"].means.startswith("A server answers, but not as a gateway")
    assert what in report["reachable"].means
    assert "LITELLM_BASE_URL" in report["reachable"].advice
    assert "later" not in shown(report) and "LITELLM_BASE_URL" in report.ending[-1]
    assert "gateway runs behind it" not in report.ending[-1] or "502" in what


@pytest.mark.parametrize("model", ["sandbox", None])
async def test_a_gateway_that_fails_is_no_question_of_the_model(model: str | None) -> None:
    report = await of(Reply(b"oops", 500, "text/plain"), model=model)
    assert "status 500" in report.ending[-1]
    assert "later" in report.ending[-1] and "%kit model" not in report.ending[-1]


async def test_what_is_not_chosen_is_not_said_to_be_asked() -> None:
    report = await of(refused("Incorrect API key", 401, "invalid_api_key"), model=None)
    assert report.cause == "the key" and "that is chosen" not in shown(report)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_path_that_leads_nowhere_is_no_gateway(status: int) -> None:
    report = await of(replace(LOST, status=status))
    assert report.cause == "no gateway" and f"status {status}" in report["reachable"].means
    assert "%%responses" not in shown(report) and "%%chat" not in shown(report)


async def test_one_api_that_is_missing_sends_to_the_other() -> None:
    def ask(asked: Asked) -> Any:
        return LOST if asked.path.endswith("/chat/completions") else asked

    with lying(Lie(ask)) as (endpoint, _):
        report = await examined(endpoint)
    assert report.usable and "%%responses" in report["chat"].advice
    assert "LITELLM_BASE_URL" not in shown(report)


async def test_the_words_of_a_failure_are_those_of_the_cells() -> None:
    report = await of(page(), listed=True)
    assert report["reachable"].verdict == "yes", "it lists models"
    assert "a web page where JSON belongs" in report["chat"].means
    assert report["chat"].advice.startswith("Check that LITELLM_BASE_URL is the gateway itself")


async def test_the_key_of_a_provider_is_not_ours() -> None:
    report = await of(PASSED_ON, listed=True)
    assert report["key"].verdict != "no" and report.cause == "the provider's key"
    assert "does not accept the gateway's own key" in report.ending[-1]
    assert "Tell whoever runs the gateway." in report.ending[-1]
    assert "%kit login" not in shown(report)


async def test_a_provider_that_is_away_is_said() -> None:
    report = await of(DEAD, listed=True)
    assert "cannot reach the provider of the model" in report["chat"].means
    assert "whoever runs the gateway" in report["chat"].advice


async def test_what_is_used_up_does_not_come_back_by_waiting() -> None:
    report = await of(BUDGET, listed=True)
    assert report.cause == "quota" and "used up" in report.ending[-1]
    assert "later" not in shown(report)


async def test_what_can_be_used_again_soon_says_when() -> None:
    busy = replace(refused("slow down", 429), headers={"retry-after": "130"})
    report = await of(busy, listed=True)
    assert report.cause == "too busy" and "130 s" in report.ending[-1]


async def test_a_model_that_is_unknown_is_named() -> None:
    report = await of(refused("no such model", 404, "model_not_found"), listed=True)
    assert report.cause == "the model" and "'sandbox'" in report.ending[-1]
    assert "%kit models" in report.ending[-1]


@pytest.mark.parametrize(
    ("ids", "means"), [([], "lists no models, and none is chosen"), (["a", "b"], "Several")]
)
async def test_no_model_is_told_from_several(ids: list[str], means: str) -> None:
    report = await of(as_json({"data": [{"id": one} for one in ids]}), model=None)
    assert report.cause == "no model" and means in report["models"].means
    assert "%kit model NAME" in report.ending[-1]


async def test_a_model_that_is_named_needs_no_list() -> None:
    def ask(asked: Asked) -> Any:
        return LOST if asked.path == "/v1/models" else asked

    with lying(Lie(ask)) as (endpoint, _):
        report = await examined(endpoint)
    assert report.usable and report["models"].verdict == "no"
    assert "LITELLM_MODEL" not in shown(report)


async def test_the_address_is_shown_where_nobody_is() -> None:
    report = await examined(Endpoint("http://127.0.0.1:9/v1", model="m"))
    assert "http://127.0.0.1:9 (connection refused)" in report["reachable"].means
    assert report.cause == "not reachable" and "http://127.0.0.1:9" in report.ending[-1]
    assert "LITELLM_BASE_URL" in report.ending[-1]


async def greet(reader: Reader, writer: Writer) -> None:
    """Another protocol, which speaks first."""
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()
    await reader.read(10_000)


async def test_another_protocol_is_said_in_our_words() -> None:
    report = await heard(greet)
    assert "does not speak HTTP" in report["reachable"].means
    assert "SSH" not in shown(report) and "RTSP" not in shown(report)
    assert "LITELLM_BASE_URL" in report.ending[-1]


async def bad_request(reader: Reader, writer: Writer) -> None:
    """A web server that is greeted with TLS and knows none."""
    await reader.read(10)
    writer.write(reply(b"bad", status="400 Bad Request"))
    await writer.drain()
    await reader.read(10_000)


async def test_https_to_an_http_port_is_said() -> None:
    report = await heard(bad_request, scheme="https")
    assert "does not speak https" in report["reachable"].means
    assert "certificate" not in report["reachable"].means and "http://" in report.ending[-1]
    assert "SSL" not in shown(report) and "0x" not in shown(report)


@pytest.mark.parametrize("listed", [True, False])
async def test_a_header_that_is_too_long_is_said(listed: bool) -> None:
    """Of every answer, or of a model's alone. Each is paid for: two are enough."""
    long = replace(as_json({}), headers={"x-long": "a" * 70_000})

    def ask(asked: Asked) -> Any:
        return asked if listed and asked.method == "GET" else long

    with lying(Lie(ask)) as (endpoint, liar):
        report = await examined(endpoint)
    assert report.cause == "its headers" and not report.usable
    assert "a header longer than 64 KiB" in report.ending[-1]
    assert "does not help" in report.ending[-1] and "aaa" not in shown(report)
    assert sum(asked.method == "POST" for asked in liar.asked) == (2 if listed else 0)


async def test_a_wrong_key_is_the_cause() -> None:
    report = await of(refused("no such key", 401))
    assert report.cause == "the key" and "%kit login" in report.ending[-1]


async def test_both_apis_refused_is_said() -> None:
    report = await of(refused("unsupported", 400), listed=True)
    assert report.cause == "refused" and report["reachable"].verdict == "yes"
    assert "unsupported" in report.ending[-1]


async def test_the_last_line_has_no_code_marks() -> None:
    report = await of(page())
    assert "`" not in report.ending[-1] and report.ending[-1].endswith(".")


async def test_a_cold_model_is_waited_for_longer() -> None:
    """The first question has the patience for a model that loads; the others need it no more."""

    def patience(**seconds: float) -> Patience:
        return replace(QUICK, probe=0.5, **seconds)

    async with serving(loading(seconds=0.8)) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", Secret(KEY), "m")
        cold = await examined(endpoint, patience=patience(first=10.0))
    assert cold["chat"].verdict == "yes"


def loading(seconds: float) -> Handler:
    """Lists its model at once; its first answer takes so long."""
    waits = [seconds]
    choice = {"message": {"content": "OK"}, "finish_reason": "stop"}
    said = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            head, _ = await read_request(reader)
            if head.startswith("POST"):
                await asyncio.sleep(waits.pop() if waits else 0)
            body = b'{"data": [{"id": "m"}]}' if head.startswith("GET") else said
            writer.write(reply(body, "content-type: application/json"))
            await writer.drain()

    return handle
