"""What a venue promises and how: declared with source and date, never guessed."""

from __future__ import annotations

import msgspec

from ares.domain.venue import VenueTraits


class DeclaredTrait(msgspec.Struct, frozen=True):
    """A property of a venue, where it is written, and when that was read."""

    name: str
    value: str
    source: str
    read_on: str


class DeclaredVenue(msgspec.Struct, frozen=True):
    """A venue as Ares uses it.

    takes_orders : Ares sends orders there; otherwise it is declared only.
    orders       : kind of order of the engine -> what is sent.
    has_sandbox  : it has a server of its own on which no money is real.
    lacks        : what this venue cannot do, or Ares not yet there.
    """

    name: str
    title: str
    takes_orders: bool
    traits: VenueTraits
    orders: dict[str, str]
    declared: tuple[DeclaredTrait, ...]
    lacks: tuple[str, ...] = ()
    has_sandbox: bool = False
