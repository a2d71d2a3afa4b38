"""What can come of a request that may move money: the venue's word, or nothing."""

from __future__ import annotations


class Refused(Exception):
    """The venue's own word that it did not do it; the text is the venue's."""


class WouldTake(Refused):
    """The venue refused an order that was to rest, because it would have taken."""


class NotSent(Exception):
    """It never left this process, for this reason."""


class NoAnswer(Exception):
    """Nothing is known of it: a timeout, a broken connection, an answer that is none.

    It may have been carried out, or still be on its way.
    """


class VenueErrors(Exception):
    """Errors inside an answer, with its HTTP status; ``PrivateRequests`` says what they mean."""

    def __init__(self, status: int, texts: list[str]) -> None:
        super().__init__("; ".join(texts))
        self.status, self.texts = status, texts
