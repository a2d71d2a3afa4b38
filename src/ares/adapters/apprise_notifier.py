"""Sends alarms by Apprise: mail, Telegram, Slack, webhooks and a hundred others behind one call."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ares.domain.errors import UserError


class AppriseNotifier:
    """Sends to every URL of a list.

    urls : separated by spaces or commas.

    Raises UserError for a URL that Apprise does not know; it is named by its number, because it
    holds a password.
    """

    def __init__(self, urls: str) -> None:
        with _quiet():
            import apprise

            self._targets = []
            for n, url in enumerate(urls.replace(",", " ").split(), 1):
                target = apprise.Apprise.instantiate(url, suppress_exceptions=True)
                if target is None:
                    scheme = url.partition(":")[0]
                    raise UserError(
                        f"supervision.notify_urls: number {n} ({scheme}:...) is no URL of Apprise"
                    )
                self._targets.append(target)

    def send(self, title: str, body: str) -> str:
        """Send a message to all; return what failed, empty: everybody has it."""
        failed = []
        for n, target in enumerate(self._targets, 1):
            try:
                with _quiet():
                    sent = bool(target.notify(title=title, body=body))
            except Exception as error:  # of any of a hundred services
                failed.append(f"{n} ({target.service_name}): {type(error).__name__}")
                continue
            if not sent:
                failed.append(f"{n} ({target.service_name})")
        return f"not sent to {', '.join(failed)}" if failed else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Have Apprise import modules that a later Python has not, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
