"""The off-box heartbeat: one request, and what failed."""

from __future__ import annotations

from tests.webhook import webhook

from ares.adapters.heartbeat_url import request_heartbeat


def test_a_request_and_its_failures() -> None:
    with webhook() as hook:
        url = f"http://127.0.0.1:{hook.port}/ping/token"
        assert request_heartbeat(url) == ""
        assert hook.requests == [("GET", "/ping/token", "")]
        hook.status = 404
        assert request_heartbeat(url) == "HTTP status 404"
    problem = request_heartbeat(url)
    assert problem
    assert "token" not in problem


def test_an_address_that_is_none() -> None:
    assert "token" not in request_heartbeat("http://127.0.0.1:999999/token")
