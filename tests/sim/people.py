"""What people want at bad moments: every verb, with arguments that make sense and that do not."""

from __future__ import annotations

from random import Random

from ares.core.commands import VERBS
from ares.core.halts import BY_REMOVAL
from ares.core.state import State
from ares.kernel.trade.layout import BREAKER_NAMES

KEYS = ("", "sim:T0/USDT", "T1/USDT", "sim:NO/NO")
RULES = (
    '{"position_max":0.1}', '{"position_max":0.3}', '{"exposure_max":0.3}', '{"exposure_max":7}',
    '{"close_on_drawdown":1}', '{"close_on_drawdown":0}', '{"drawdown_max":0.002}',
    '{"drawdown_max":0.1}', '{"fee_bps":0}', "{", '{"stop_enabled":1}', '{"trial_size":0.5}',
)  # fmt: skip


def drawn_command(draw: Random) -> tuple[str, dict[str, str], str]:
    """Return verb, arguments and expected version of a command."""
    verb = draw.choice((*VERBS, "halt", "resume", "flatten", "force-exit", "settle", "nonsense"))
    args = {"instrument": draw.choice(KEYS), "reason": draw.choice(("", "a drill"))}
    if verb == "breaker":
        action = draw.choice(("test", "recover", "reset", "break"))
        args |= {"action": action, "name": draw.choice((*BREAKER_NAMES, "fun"))}
    elif verb == "symbols":
        args["action"] = draw.choice(("add", "remove", "drop"))
    elif verb == "config":
        args = {"key": "risk.some_key", "value": "x", "rules": draw.choice(RULES)}
    elif draw.random() < 0.05:
        args["mood"] = "good"
    version = draw.choice(("", "", "", "0", "1", "0123456789"))
    return verb, {name: value for name, value in args.items() if value}, version


def wanted_at_rest(state: State) -> tuple[str, dict[str, str]] | None:
    """Return what an operator does so that the engine comes to rest; None: nothing."""
    if state.differences and not any(o.doubt_ms for o in state.orders.values()):
        vanished = [d for d in state.differences if d.kind == "vanished_order"]
        args = {"order": vanished[0].client_id, "outcome": "absent"} if vanished else {}
        return "settle", args if args.get("order") in state.orders else {}
    if any(h.needs_person for h in state.halts):
        return "resume", {}
    removed = [h.instrument for h in state.halts if h.reason == BY_REMOVAL]
    if removed:
        key = state.setup.instruments[removed[0]].spec.instrument.key
        return "symbols", {"action": "add", "instrument": key}
    return None
