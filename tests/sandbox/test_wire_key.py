"""The sandbox inside a kernel asks for a key: on a shared host loopback is everybody."""

import httpx
import pytest

from kit import local
from kit.sandbox.app import open_sandbox
from kit.serving import serve_in_thread
from kit.settings import load


@pytest.fixture(scope="module")
def keyed():
    served = serve_in_thread(open_sandbox(pace=0.0, key="the-right-one"))
    with httpx.Client(base_url=f"{served.url}/v1", trust_env=False, timeout=30) as client:
        yield client
    served.stop()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer the-right-one", 200),
        ("Bearer another", 401),
        ("Bearer the-right-one-and-more", 401),
        ("", 401),
    ],
)
def test_a_sandbox_with_a_key_answers_to_that_key_alone(keyed, authorization, status):
    answer = keyed.get("/models", headers={"authorization": authorization})
    assert answer.status_code == status
    assert "the-right-one" not in answer.text


def test_the_sandbox_of_a_kernel_has_a_key_of_its_own(fresh_home):
    endpoint = local.sandbox_endpoint(load())
    assert endpoint.api_key is not None
    assert httpx.get(f"{endpoint.base_url}/models", trust_env=False).status_code == 401
    key = {"authorization": f"Bearer {endpoint.api_key.reveal()}"}
    assert httpx.get(f"{endpoint.base_url}/models", headers=key, trust_env=False).is_success
