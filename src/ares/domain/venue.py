"""What a venue promises: declared with the venue, journaled with the run, never guessed."""

from __future__ import annotations

import msgspec


class VenueTraits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Times and abilities that the order machine counts on. Times in milliseconds of the wall
    clock, 0: never.

    amends_stops   : a resting stop can be changed in place.
    proves_absence : an order that two complete look-ups do not find after its deadline (plus
                     ``absence_margin_ms``, by the venue's clock) will never arrive; or there is
                     another proof, see ``claims_ids``.
    deadline_ms    : the venue refuses an order that reaches it later than this after its decision.
    answer_ms      : without an answer for so long, the outcome of a command is unknown.
    fill_ms        : an immediate order that is open for so long is looked up.
    account_ms     : balances and open orders are compared this often.
    stop_limit_bps : its stops are stop-limits, with the limit so far below the trigger: the market
                     can jump over one; 0: they sell at the market.
    claims_ids     : it takes no id twice, not even of an order that has ended: another order under
                     the id of one that is not found, once accepted, proves that this one will never
                     arrive.
    refuses_small  : it takes no order below its smallest quantity or cost, a stop or exit neither:
                     see ``core.small_positions``.
    takes_post_only : an order may be asked for that rests or is refused, and never takes.
    speed          : engine time that passes in a unit of wall time: of a rehearsal on stored
                     candles that are served faster than they were.
    """

    amends_stops: bool = False
    proves_absence: bool = True
    deadline_ms: int = 0
    absence_margin_ms: int = 0
    answer_ms: int = 0
    fill_ms: int = 0
    account_ms: int = 0
    speed: int = 1
    stop_limit_bps: int = 0
    claims_ids: bool = False
    refuses_small: bool = False
    takes_post_only: bool = False

    def limit_ticks(self, trigger_ticks: int) -> int:
        """Return the limit of a stop with this trigger; 0: it has none.

        >>> VenueTraits(stop_limit_bps=200).limit_ticks(10_001), SIMULATED.limit_ticks(10_001)
        (9800, 0)
        """
        if not self.stop_limit_bps:
            return 0
        return max(1, trigger_ticks * (10_000 - self.stop_limit_bps) // 10_000)


SIMULATED = VenueTraits()
"""The simulated venue in the engine's own process: it answers at once and loses nothing."""
