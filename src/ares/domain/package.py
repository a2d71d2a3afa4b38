"""A package: the files of one trained model, and the card that describes it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from ares.domain.formats import CARD_FORMAT
from ares.domain.model import Ensemble, Member, Validation
from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec, all_series
from ares.domain.strategy import CALIBRATION_FILE, StrategySpec
from ares.domain.timeframe import Timeframe

CARD_FILE = "model.json"
GRAPH_FILE = "model.onnx"
PICTURE_FILE = "training.png"


class PackageCard(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="format",
    tag=CARD_FORMAT,
):
    """The content of ``model.json``; a package's identity is the SHA-256 of its bytes.

    name, version   : the folder, ``models/packages/<name>/<version>``.
    scope           : ``instrument`` (made from one) or ``universe`` (pooled over several).
    instruments     : keys ``venue:SYMBOL`` whose rows it was fitted on.
    origin          : ``trained`` by Ares, or ``imported`` from a user's own ONNX file.
    features, features_hash : the model's input columns, and their hash.
    recipe, recipe_hash     : everything that defines the model, except its data window.
    horizon_bars, width_sigmas, width_min_bps, cost_bps : the trade that the label describes.
    gain, loss      : mean net result of a winning / losing trade out of sample, in barrier widths
                      (both positive).
    data_from_ms, data_to_ms, data_rows, data_hash : the rows of the fit, by decision time.
    window_from_ms, window_to_ms : the bars that training could use: the opening time of the first
                      (None: no limit), the instant by which the last had closed.
    trained_to_ms   : of an imported model, the promise that it has learned from no later bar.
    reference       : instrument of the cross-instrument features.
    path_interval   : length of the bars that the labels' trades followed, e.g. ``1m``.
    validation      : net result per trade out of sample; zero trades where it is unknown.
    metrics, parity : evidence out of sample, and the exported graph against the trained model.
    verdict         : always None: the gate judges ensembles, and stores verdicts separately.
    files           : SHA-256 of every other file of the package, by name.

    A field added later needs a default, and is omitted while it has that value, so that the cards
    of older versions keep their bytes and with them their identity. A card that holds a default
    value is read too: its identity is the hash of the bytes that it has.
    """

    name: str
    version: str
    scope: str
    instruments: tuple[str, ...]
    timeframe: Timeframe
    origin: str
    features: tuple[str, ...]
    features_hash: str
    recipe: dict[str, Any]
    recipe_hash: str
    horizon_bars: int
    width_sigmas: float
    width_min_bps: float
    cost_bps: float
    gain: float
    loss: float
    data_from_ms: int
    data_to_ms: int
    data_rows: int
    data_hash: str
    validation: Validation
    metrics: dict[str, Any]
    parity: dict[str, Any]
    libraries: dict[str, str]
    git_commit: str
    created_at: str
    reference: str | None = None
    path_interval: str | None = None
    verdict: dict[str, Any] | None = None
    files: dict[str, str] = {}
    window_from_ms: int | None = None
    window_to_ms: int | None = None
    trained_to_ms: int | None = None

    @property
    def learned_until_ms(self) -> int:
        """Return the instant up to which it may have learned from any bar.

        Of an imported model the promise of ``--trained-to``, else the time of its import.
        """
        if self.origin == "trained":
            return self.data_to_ms
        if self.trained_to_ms is not None:
            return self.trained_to_ms
        return int(datetime.fromisoformat(self.created_at).timestamp() * 1000)

    @property
    def series(self) -> tuple[SeriesSpec, ...]:
        """Return the external series of which its last columns are made."""
        values = msgspec.convert(self.recipe.get("value_series", ()), tuple[ValueSpec, ...])
        sentiment = msgspec.convert(self.recipe.get("sentiment"), SentimentSpec | None)
        return all_series(sentiment, values)

    @property
    def strategy(self) -> StrategySpec | None:
        """Return the user's strategy whose score it calibrates; None: it has a graph."""
        return msgspec.convert(self.recipe.get("strategy"), StrategySpec | None)

    @property
    def ref(self) -> str:
        """Return ``name/version``, as people write it."""
        return f"{self.name}/{self.version}"


class Package(msgspec.Struct, frozen=True):
    """A card with the bytes of its other files, by file name.

    card_content : ``model.json`` where another version of Ares wrote other bytes; empty: the bytes
                   that this version writes.
    """

    card: PackageCard
    files: dict[str, bytes]
    card_content: bytes = b""

    @property
    def content(self) -> bytes:
        """Return the bytes of its ``model.json``."""
        return self.card_content or card_bytes(self.card)

    @property
    def graph(self) -> bytes:
        """Return the file that scores rows: an ONNX graph, or a strategy's calibration."""
        return self.files[CALIBRATION_FILE if CALIBRATION_FILE in self.files else GRAPH_FILE]

    @property
    def hash(self) -> str:
        """Return the package's identity: the SHA-256 of its ``model.json``."""
        return sha256(self.content)

    def alone(self, instrument: str, created_at: str) -> Ensemble:
        """Return the ensemble of this package only, trading ``instrument`` (``venue:SYMBOL``)."""
        card = self.card
        member = Member(card.timeframe, card.name, card.version, self.hash, 1.0)
        return Ensemble(
            instrument=instrument,
            members=(member,),
            anchor=card.timeframe,
            platt_a=1.0,
            platt_b=0.0,
            horizon_bars=card.horizon_bars,
            width_sigmas=card.width_sigmas,
            width_min_bps=card.width_min_bps,
            gain=card.gain,
            loss=card.loss,
            cost_bps=card.cost_bps,
            recipe_hash=card.recipe_hash,
            features_hash=card.features_hash,
            validation=card.validation,
            created_at=created_at,
        )


def sealed(card: PackageCard, files: dict[str, bytes]) -> Package:
    """Return the package of these files; its card lists the SHA-256 of each.

    The card is the decoded one, so that it equals the card that is read back.
    """
    sums = {name: sha256(content) for name, content in sorted(files.items())}
    return Package(card_of(card_bytes(msgspec.structs.replace(card, files=sums))), files)


def card_bytes(card: PackageCard) -> bytes:
    """Return ``model.json``, indented for people; equal cards give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(card, order="sorted"), indent=2) + b"\n"


def card_of(content: bytes) -> PackageCard:
    """Return the card in ``model.json``; raise msgspec.DecodeError for any other content."""
    return msgspec.json.decode(content, type=PackageCard)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hex."""
    return hashlib.sha256(content).hexdigest()
