"""Runs against the real sandbox on loopback, with the faults it knows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import pytest

from kit import errors
from kit.gateway.client import AsyncClient
from kit.sandbox.app import open_sandbox
from kit.serving import Served, serve_in_thread
from kit.settings import Endpoint, Secret
from relay_lite.ending import failure_of
from relay_lite.upstream import Upstream
from tests.relay.research.conftest import Desk
from tests.relay.research.scripted import GATEWAY

pytestmark = pytest.mark.anyio

QUESTION = "What is kimchi, and how is it fermented?"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    served = serve_in_thread(open_sandbox(pace=0.0))
    yield served
    served.stop()


@pytest.fixture
async def upstream(sandbox: Served) -> AsyncGenerator[Upstream]:
    endpoint = Endpoint(f"{sandbox.url}/v1", Secret("sk-any"), "sandbox-research")
    async with AsyncClient(endpoint, retries=0) as client:
        yield Upstream(client, GATEWAY, free=True)


@pytest.mark.parametrize(
    "fault",
    [
        *("", ":cut", ":drop", ":done-without-terminal", ":rotating-ids", ":no-event-lines"),
        *(":no-sequence", ":duplicate-index", ":unknown-events", ":empty-output", ":ping"),
        *(":json-instead-of-sse", ":background-ignored", ":429-once"),
    ],
)
@pytest.mark.parametrize("form", ["markdown_brief", "json_outline"])
async def test_a_report_arrives_whatever_is_wrong(
    fault: str, form: str, desk: Desk, upstream: Upstream
) -> None:
    run = await desk.work(
        upstream,
        research_question=QUESTION,
        deliverable_format=form,
        model=f"sandbox-research{fault}",
    )
    assert run.status == "completed", run.result
    assert run.result.output_text == await desk.text()
    assert "ferment" in (run.result.output_text or "").lower()
    assert await desk.said("search")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("failed", "upstream_error"),
        ("failed-limit", "rate_limited"),
        ("429-quota", "rate_limited"),
        ("403", "authentication_failed"),
        ("500", "upstream_error"),
        ("html-502", "upstream_error"),
        ("error-first", "upstream_error"),
        ("400-context", "upstream_refused"),
    ],
)
async def test_a_failure_has_a_code_and_a_sentence(
    fault: str, code: str, desk: Desk, upstream: Upstream
) -> None:
    run = await desk.work(upstream, model=f"sandbox-research:{fault}")
    assert (run.status, run.result.error_code) == ("failed", code)
    assert run.result.error_message


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            errors.AuthenticationFailed("no"),
            "check LITELLM_API_KEY (a relay elsewhere",
        ),
        (errors.ModelUnknown("no"), "LITELLM_RESEARCH_MODEL"),
        (errors.ProtocolError("<html>"), "check LITELLM_BASE_URL (a relay elsewhere"),
        (errors.ConnectionFailed("no"), "cannot be reached"),
    ],
)
def test_what_can_be_mended_is_said(error: errors.KitError, says: str) -> None:
    """In words of our own: what a gateway says may hold its internals."""
    said = str(failure_of(error))
    assert says in said
    assert "<html>" not in said


async def test_text_split_inside_characters_arrives_whole(desk: Desk, upstream: Upstream) -> None:
    run = await desk.work(upstream, model="sandbox-research:unicode")
    assert "한글과 조합형 한글" in (text := run.result.output_text or "")
    assert "👩\u200d👩\u200d👧\u200d👦" in text and "\u2028" in text
    assert await desk.text() == text
