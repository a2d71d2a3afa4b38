"""A problem that lasts is an alarm once, and its end a message."""

from __future__ import annotations

from ares.observe.silence_alarm import RESEND_S, Alarm, SilenceAlarm


def test_a_problem_is_sent_once_it_has_lasted() -> None:
    alarm = SilenceAlarm()
    assert alarm.look(0.0, {"venue": "lost"}) == []
    assert alarm.look(44.0, {"venue": "lost"}) == []
    assert alarm.look(45.0, {"venue": "lost"}) == [Alarm("venue", "venue: lost")]
    assert alarm.standing == {"venue": "lost"}
    assert alarm.look(46.0, {"venue": "lost"}) == []
    over = alarm.look(60.0, {})
    assert over == [Alarm("venue", "venue: well again after 60 s", over=True)]
    assert alarm.standing == {}


def test_what_ends_in_time_is_nothing() -> None:
    alarm = SilenceAlarm()
    for now_s in (0.0, 10.0, 20.0):
        assert alarm.look(now_s, {"database": "locked"}) == []
    assert alarm.look(21.0, {}) == []
    assert alarm.look(60.0, {"database": "locked"}) == []


def test_what_comes_and_goes_is_not_sent_each_time() -> None:
    alarm = SilenceAlarm()
    sent = []
    for now_s in range(0, 600, 10):
        problems = {"bars": "late"} if now_s // 50 % 2 == 0 else {}
        sent += [each for each in alarm.look(float(now_s), problems) if not each.over]  # type: ignore[arg-type]
    assert len(sent) == 2
    assert RESEND_S == 300.0
