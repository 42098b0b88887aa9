"""What people paste as a gateway's address, and what becomes of it."""

from __future__ import annotations

import pytest

from kit.address import normalise
from kit.errors import ConfigError

ADDRESSES = [
    ("https://gateway.example", "https://gateway.example/v1"),
    ("https://gateway.example/", "https://gateway.example/v1"),
    ("  https://gateway.example/v1  ", "https://gateway.example/v1"),
    ('"https://gateway.example/v1"', "https://gateway.example/v1"),
    ("https://gateway.example/v1///", "https://gateway.example/v1"),
    ("https://gateway.example/v1/v1", "https://gateway.example/v1"),
    ("https://gateway.example/v1/responses", "https://gateway.example/v1"),
    ("https://gateway.example/v1/responses/", "https://gateway.example/v1"),
    ("https://gateway.example/responses", "https://gateway.example/v1"),
    ("https://gateway.example/v1/chat/completions", "https://gateway.example/v1"),
    ("https://gateway.example/chat/completions", "https://gateway.example/v1"),
    ("https://gateway.example/v1/models", "https://gateway.example/v1"),
    ("https://gateway.example/v1/embeddings", "https://gateway.example/v1"),
    ("https://gateway.example/team/llm", "https://gateway.example/team/llm/v1"),
    ("https://gateway.example/team/llm/v1/responses", "https://gateway.example/team/llm/v1"),
    ("https://gateway.example/openai/v1", "https://gateway.example/openai/v1"),
    ("https://gateway.example/openai/v1/responses", "https://gateway.example/openai/v1"),
    ("https://gateway.example//team//", "https://gateway.example/team/v1"),
    ("https://gateway.example/팀", "https://gateway.example/%ED%8C%80/v1"),
    ("https://gateway.example/v1?api-version=1#top", "https://gateway.example/v1"),
    ("HTTPS://Gateway.Example:443/v1", "https://gateway.example/v1"),
    ("https://gateway.example.:8443", "https://gateway.example:8443/v1"),
    ("https://게이트웨이.example", "https://xn--o79ax31c8lab235l.example/v1"),
    ("http://localhost:4000", "http://localhost:4000/v1"),
    ("http://127.0.0.1:4000/v1", "http://127.0.0.1:4000/v1"),
    ("http://127.1.2.3", "http://127.1.2.3/v1"),
    ("http://0.0.0.0:4000", "http://127.0.0.1:4000/v1"),
    ("http://[::1]:4000/", "http://[::1]:4000/v1"),
    ("http://[::]:4000/", "http://[::1]:4000/v1"),
    ("https://[2001:DB8::0:1]/v1", "https://[2001:db8::1]/v1"),
]


@pytest.mark.parametrize(("pasted", "expected"), ADDRESSES)
def test_an_address_gets_one_form(pasted: str, expected: str) -> None:
    assert normalise(pasted) == expected


@pytest.mark.parametrize("expected", sorted({expected for _, expected in ADDRESSES}))
def test_that_form_stays_as_it_is(expected: str) -> None:
    assert normalise(expected) == expected


REFUSED = [
    ("gateway.example", "https://gateway.example"),
    ("gateway.example:4000/v1", "https://gateway.example:4000/v1"),
    ("localhost:4000", "http://localhost:4000"),
    ("https:/gateway.example", "https://"),
    ("ftp://gateway.example", "https://"),
    ("file:///etc/passwd", "https://"),
    ("javascript://gateway.example/%0aalert(1)", "https://"),
    ("https://", "host"),
    ("https:///v1", "host"),
    ("https://:4000", "host"),
    ("https://gate way.example", "blanks"),
    ("https://gateway.example\n.evil.example", "blanks"),
    ("https://gateway.example\\@evil.example", "blanks"),
    ("https://gateway.example/\x00", "blanks"),
    ("https://" + "a" * 3000, "too long"),
    ("https://[::1", "host"),
    ("https://[::1%25eth0]", "host"),
    ("https://[v1.a]", "host"),
    ("https://gateway..example", "host"),
    ("https://gateway.example%2eevil", "host"),
    ("https://" + "a" * 64 + ".example", "host"),
    ("https://gateway.example:0", "port"),
    ("https://gateway.example:99999", "port"),
    ("https://gateway.example:4000a", "port"),
    ("https://gateway.example/a/../b", ".."),
    ("http://gateway.invalid", "KIT_ALLOW_INSECURE_HTTP=1"),
    ("http://10.0.0.5:4000", "KIT_ALLOW_INSECURE_HTTP=1"),
    ("http://127.0.0.1.evil.example", "KIT_ALLOW_INSECURE_HTTP=1"),
    ("http://localhost.evil.example", "KIT_ALLOW_INSECURE_HTTP=1"),
    ("http://2130706433", "KIT_ALLOW_INSECURE_HTTP=1"),
    ("http://[2001:db8::1]", "KIT_ALLOW_INSECURE_HTTP=1"),
]


@pytest.mark.parametrize(("pasted", "hint"), REFUSED)
def test_what_is_no_address_is_refused_in_one_line(pasted: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        normalise(pasted)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "pasted",
    [
        "https://user:hunter2@gateway.example",
        "https://hunter2@gateway.example/v1",
        "user:hunter2@gateway.example",
        "ftp://user:hunter2@gateway.example",
        "https://user:hunter2@[::1",
        "https://gateway .example?key=hunter2",
        "gateway.example?key=hunter2",
        "https://gateway..example/?key=hunter2",
    ],
)
def test_a_password_in_an_address_is_not_repeated(pasted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        normalise(pasted)
    assert "hunter2" not in str(caught.value)


def test_http_to_another_host_can_be_allowed() -> None:
    assert normalise("http://10.0.0.5:4000", allow_http=True) == "http://10.0.0.5:4000/v1"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("localhost:4000", "write it as http://localhost:4000"),
        ("127.0.0.1:4000/v1", "write it as http://127.0.0.1:4000/v1"),
        ("gateway.example.com", "write it as https://gateway.example.com"),
    ],
)
def test_an_address_without_a_scheme_is_told_the_one_that_works(written: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        normalise(written)
    assert says in str(caught.value)


def test_what_may_be_a_key_in_the_wrong_place_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        normalise("0123456789abcdef")
    assert "0123456789abcdef" not in str(caught.value)
