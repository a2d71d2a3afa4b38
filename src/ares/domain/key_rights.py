"""What an API key may do, as far as its venue says so."""

from __future__ import annotations

import msgspec

WITHDRAW, UNKNOWN_RIGHTS = "withdraw", "unknown-rights"
ALLOWANCES = {
    WITHDRAW: "a key that can withdraw",
    UNKNOWN_RIGHTS: "a venue that does not tell a key's rights",
}
"""What a person may allow explicitly -> what it is."""


class KeyRights(msgspec.Struct, frozen=True):
    """The rights of a key.

    is_known      : the venue tells them; otherwise nothing below is known.
    nonce_window  : how far nonces may fall back, in the venue's unit; 0: a request that was
                    overtaken is refused.
    addresses     : to which the key is bound; empty: to none; None: the venue does not tell.
    expires_ms    : 0: never, or not known.
    """

    venue: str
    is_known: bool
    can_query: bool = False
    can_trade: bool = False
    can_cancel: bool = False
    can_withdraw: bool = False
    nonce_window: int = 0
    addresses: tuple[str, ...] | None = None
    expires_ms: int = 0

    def problems(self, allows: tuple[str, ...] = (), role: str = "") -> list[str]:
        """Return why the key is refused for live trading; empty: it is not.

        allows : what a person allowed, see ``ALLOWANCES``. role : reader, watchdog; empty: the
                 engine's.

        >>> KeyRights("kraken", True, True, True, True, can_withdraw=True).problems()
        ['it can withdraw: make a key without that right, or allow it with --allow withdraw']
        """
        if not self.is_known:
            if UNKNOWN_RIGHTS in allows:
                return []
            return [
                f"{self.venue} does not tell what a key may do: look at its settings there, then"
                f" allow it with --allow {UNKNOWN_RIGHTS}"
            ]
        found = []
        if self.can_withdraw and WITHDRAW not in allows:
            found.append(
                "it can withdraw: make a key without that right, or allow it with --allow withdraw"
            )
        if self.nonce_window > 0:
            found.append(
                f"its nonce window is {self.nonce_window}: set it to 0, so that a request which was"
                " overtaken is refused"
            )
        if role in ("", "watchdog") and not self.can_cancel:
            found.append("it cannot cancel orders")
        if not role and not self.can_trade:
            found.append("it cannot send orders")
        if not self.can_query:
            found.append("it cannot query orders and balances")
        return found

    def remarks(self, role: str = "") -> list[str]:
        """Return what is no reason to refuse the key, but should be known."""
        if self.addresses is None:
            bound = f"{self.venue} does not tell whether the key is bound to an address"
        elif self.addresses:
            bound = f"bound to {', '.join(self.addresses)}"
        else:
            bound = "bound to no address: whoever has it can use it from anywhere"
        found = [bound]
        if self.is_known and role == "reader" and (self.can_trade or self.can_cancel):
            found.append("it can do more than read")
        if self.is_known and role == "watchdog" and self.can_trade:
            found.append("it can send orders, a watchdog's needs only to query and cancel")
        return found
