"""The doctor at living gateways; the tables of docs/gateways.md are what it says here.

`make test-gateway ARGS=--write-tables` puts what it says into the page; without it the page has to
say the same.
"""

from __future__ import annotations

import asyncio

import pytest

from doctor_table import PAGE, in_page, tables, with_tables
from kit.gateway.doctor import DEAR_NAMES, examine
from kit.gateway.doctor_examination import Patience
from kit.gateway.doctor_report import Report
from kit.gateway.transport import open_transport
from kit.settings import Endpoint, Secret
from living import KEY, Proxy, Upstream

pytestmark = [pytest.mark.gateway_live, pytest.mark.timeout(2700)]

A_FEW_HUNDRED = 800
"""Tokens of the cheap probes. Briefly answering models take 350 to 500; the small one talks."""
PATIENT = Patience(
    probe=600, first=600, dear=600, idle=500, later=60, cheap_all=1200, dear_all=1200
)
"""later: what a gateway lets go on after a cancel has ended by then."""


@pytest.fixture(scope="module")
def gateways(paced: Upstream, plain: Proxy, polling: Proxy, small: Endpoint) -> dict[str, Endpoint]:
    """Those of the table, by the heads of its columns."""

    def proxied(proxy: Proxy, model: str) -> Endpoint:
        return Endpoint(proxy.base_url, Secret(KEY), model)

    return {
        "sandbox": Endpoint(paced.url, Secret("sk-any"), "sandbox", identity="sandbox"),
        "native": proxied(plain, "native-paced"),
        "bridge": proxied(plain, "bridged"),
        "bridge, small model": proxied(plain, "bridged-model"),
        "polling": proxied(polling, "native-paced"),
        "local model": small,
    }


async def examined(*endpoints: Endpoint, dear: bool) -> list[Report]:
    """Side by side, and with all the time they take: what is late would be "unknown"."""
    looks = [examine(one, open_transport(), dear=dear, patience=PATIENT) for one in endpoints]
    return await asyncio.gather(*looks)


@pytest.fixture(scope="module")
def reports(gateways: dict[str, Endpoint]) -> dict[str, Report]:
    """All that the doctor can ask, of each."""
    found = asyncio.run(examined(*gateways.values(), dear=True))
    return dict(zip(gateways, found, strict=True))


def test_the_page_says_what_the_doctor_says(
    reports: dict[str, Report], pytestconfig: pytest.Config
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    if pytestconfig.getoption("--write-tables", False):
        page = with_tables(page, tables(reports))
        PAGE.write_text(page, encoding="utf-8")
    assert in_page(page) == tables(reports), "make test-gateway ARGS=--write-tables renews it"


def test_whatever_is_no_yes_says_what_follows(reports: dict[str, Report]) -> None:
    findings = [one for report in reports.values() for one in report.findings]
    lacking = [one for one in findings if one.verdict in ("no", "partly")]
    assert lacking
    assert [one.name for one in lacking if not (one.instead or one.advice)] == []


@pytest.mark.parametrize("name", ["native", "bridge", "local model"])
def test_cheap_is_a_few_hundred_tokens_and_nothing_dear(
    name: str, gateways: dict[str, Endpoint], quick: Upstream, paced: Upstream
) -> None:
    before = [len(quick.requests), len(paced.requests)]
    (report,) = asyncio.run(examined(gateways[name], dear=False))
    assert report.tokens is not None and 0 < report.tokens <= A_FEW_HUNDRED
    assert {report[one].how for one in DEAR_NAMES} == {"dear"}
    asked = [*quick.requests[before[0] :], *paced.requests[before[1] :]]
    assert not [one for one in asked if one.body.get("background")]
    assert not [one for one in asked if "web_search" in str(one.body)]
