"""What may hang stays beside the loop: looks, messages, pulses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ares.runtime.ops.background import BackgroundLook, Outbox, Pulse

WAIT_S = 30.0


def await_(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.005)


def test_a_look_that_hangs_grows_old_and_one_that_fails_is_known() -> None:
    hangs, looked = threading.Event(), list[int]()

    def look() -> str:
        looked.append(1)
        if len(looked) == 1:
            raise RuntimeError("locked")
        hangs.wait(WAIT_S)
        return "seen"

    clock = [100.0]
    background = BackgroundLook(look, str, lambda: clock[0], 0.01)
    await_(lambda: len(looked) == 2)
    assert background.newest(107.0) == (7.0, "locked")
    clock[0] = 110.0
    hangs.set()
    await_(lambda: background.newest(110.0) == (0.0, "seen"))
    background.stop()


def test_messages_wait_until_they_can_be_sent_in_their_order() -> None:
    sent, lines, fails = list[str](), list[str](), [2]

    def send(title: str, text: str) -> str:
        if fails[0]:
            fails[0] -= 1
            return "no network"
        sent.append(f"{title} {text}")
        return ""

    outbox = Outbox(send, lines.append, retry_s=(0.01,))
    for text in "abc":
        outbox.put("t", text)
    await_(lambda: len(sent) == 3)
    outbox.close(WAIT_S)
    assert sent == ["t a", "t b", "t c"]
    assert lines == ["alarms wait: no network", "alarms can be sent again"]


def test_closing_sends_what_waits_and_does_not_wait_for_ever() -> None:
    sent = list[str]()

    def send(_title: str, text: str) -> str:
        sent.append(text)
        return "" if text == "a" else "no network"

    outbox = Outbox(send, lambda _: None)
    outbox.put("t", "a")
    outbox.put("t", "b")
    outbox.close(WAIT_S)
    assert sent[:2] == ["a", "b"]


def test_a_pulse_is_never_twice_at_a_time_and_its_failure_is_a_line() -> None:
    go, lines, answers = threading.Event(), list[str](), ["down", "down", ""]

    def work() -> str:
        go.wait(WAIT_S)
        return answers.pop(0)

    pulse = Pulse(work, lines.append, "the URL")
    assert pulse.begin()
    assert not pulse.begin()
    go.set()
    for _ in range(2):
        pulse.join(WAIT_S)
        assert pulse.begin()
    pulse.join(WAIT_S)
    assert lines == ["the URL failed: down", "the URL works again"]
