"""What a projector must know of earlier entries, stored with the tables and their seq."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine, select

from ares.core.slot import Slot
from ares.store.database import reading
from ares.store.mode_alerts import ModeWatch
from ares.store.schema import projections


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
    """

    expected: dict[str, float]
    expected_of_ended: dict[str, float]
    held: list[OpenPosition]
    training: dict[int, int]
    slots: list[Slot]
    watches: list[ModeWatch]


encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(ProjectorState).decode


def stored_state(engine: Engine, environment: str) -> bytes | None:
    """Return what was stored with an environment's tables; None: nothing, or by a version that did
    not store it.
    """
    with reading(engine) as connection:
        query = select(projections.c.state).where(projections.c.environment == environment)
        raw: bytes | None = connection.execute(query).scalar()
    return raw
