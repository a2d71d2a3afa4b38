"""What a projector must know of earlier entries, stored with the tables and their seq."""

from __future__ import annotations

import msgspec

from ares.core.slot import Slot
from ares.store.execution_rows import ExecutionState
from ares.store.mode_alerts import ModeWatch
from ares.store.model_rows import ModelTrades


class OpenPosition(msgspec.Struct):
    """An open position: its lots, and the buys since it was opened at ``seq``."""

    seq: int = 0
    lots: int = 0
    bought_lots: int = 0
    bought_ticks: int = 0
    fee_units: int = 0


class ProjectorState(msgspec.Struct):
    """What rows of later entries refer to.

    expected : price that slippage refers to, by client id of an open order, or of one
               that has ended.
    held     : the open position of each lane. training: seq of a retraining's start, by instrument.
    slots    : of all lanes. watches: changes of mode within the last hour, by instrument.
    confidence : see ``ConfidenceRows.last``. market: see ``MarketRows.state``.
    trades, virtual : see ``ModelRows``.
    """

    expected: dict[str, float]
    expected_of_ended: dict[str, float]
    held: list[OpenPosition]
    training: dict[int, int]
    slots: list[Slot]
    watches: list[ModeWatch]
    confidence: list[list[float]]
    market: bytes
    trades: list[ModelTrades]
    virtual: list[ModelTrades]
    executions: ExecutionState


encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(ProjectorState).decode
