"""Alarms go out by Apprise, and what fails is known; the addresses are never shown."""

from __future__ import annotations

import json

import pytest
from tests.webhook import webhook

from ares.adapters.apprise_notifier import AppriseNotifier
from ares.domain.errors import UserError


def test_a_message_reaches_everybody() -> None:
    with webhook() as first, webhook() as second:
        urls = f"json://127.0.0.1:{first.port}/a, json://127.0.0.1:{second.port}/b"
        assert AppriseNotifier(urls).send("Ares paper", "engine died") == ""
        for hook, path in ((first, "/a"), (second, "/b")):
            method, where, body = hook.requests[0]
            assert (method, where) == ("POST", path)
            content = json.loads(body)
            assert (content["title"], content["message"]) == ("Ares paper", "engine died")


def test_one_that_fails_is_named_and_the_others_have_it() -> None:
    with webhook() as broken, webhook() as well:
        broken.status = 500
        urls = f"json://user:password@127.0.0.1:{broken.port} json://127.0.0.1:{well.port}"
        problem = AppriseNotifier(urls).send("t", "b")
        assert problem == "not sent to 1 (JSON)"
        assert len(well.requests) == 1


def test_nobody_there() -> None:
    with webhook() as gone:
        port = gone.port
    assert AppriseNotifier(f"json://127.0.0.1:{port}").send("t", "b") == "not sent to 1 (JSON)"


def test_a_url_that_is_none_is_named_by_its_number() -> None:
    with pytest.raises(UserError, match=r"number 2 \(nonsense:\.\.\.\) is no URL") as raised:
        AppriseNotifier("json://127.0.0.1:1 nonsense://s3cret")
    assert "s3cret" not in str(raised.value)
