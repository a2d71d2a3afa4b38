"""``model.json``: read as it was written; a card that was edited or is invalid is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ares.adapters.card_file import package_of, parse_card
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import Package, card_bytes, sha256

MakePackage = Callable[..., Package]


def written(raw: dict[str, Any]) -> bytes:
    """Return a card's fields in the form of the file."""
    return msgspec.json.format(msgspec.json.encode(raw, order="sorted"), indent=2) + b"\n"


def test_a_card_comes_back_as_it_was_written(package: MakePackage) -> None:
    made = package()
    assert parse_card(card_bytes(made.card), "here") == made.card
    assert package_of(card_bytes(made.card), made.files, "here") == made


def test_a_card_that_wrote_its_defaults_out_is_read_under_its_own_hash(
    package: MakePackage,
) -> None:
    made = package()
    old = written(msgspec.json.decode(card_bytes(made.card)) | {"path_interval": None})
    assert old != card_bytes(made.card)
    read = package_of(old, made.files, "here")
    assert read.card == made.card
    assert read.hash == sha256(old)


@pytest.mark.parametrize(
    "more",
    [{"half_life": 3}, {"validation": {"trades": 1, "mean_bps": 2.0, "worst": 3.0}}],
)
def test_a_card_of_a_newer_version_is_refused(
    package: MakePackage, more: dict[str, object]
) -> None:
    new = written(msgspec.json.decode(card_bytes(package().card)) | more)
    with pytest.raises(ExternalError, match=r"here: .*newer version .*\(unknown field '(half|wor)"):
        parse_card(new, "here")


def test_a_card_of_another_format_is_the_users_to_convert(package: MakePackage) -> None:
    raw = msgspec.json.decode(card_bytes(package().card))
    with pytest.raises(UserError, match="here has format 999") as caught:
        parse_card(written(raw | {"format": 999}), "here")
    assert "\n" not in str(caught.value)


def test_an_edited_card_is_refused(package: MakePackage) -> None:
    content = card_bytes(package().card)
    with pytest.raises(ExternalError, match=r"here: was edited, .*restore it from an export"):
        parse_card(content.replace(b"22.0", b" 22.0"), "here")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"[" * 100_000])
def test_other_content_is_no_card(content: bytes) -> None:
    with pytest.raises(ExternalError, match=r"^here: is not a package's card \(") as caught:
        parse_card(content, "here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "odd",
    [
        {"files": {}},
        {"origin": "bought"},
        {"horizon_bars": 0},
        {"horizon_bars": -3},
        {"width_sigmas": 0.0, "width_min_bps": 0.0},
        {"cost_bps": -1.0},
        {"gain": 1e308},
        {"loss": -5.0},
        {"created_at": "yesterday"},
        {"instruments": ("nonsense",)},
        {"recipe": {"sentiment": 5}},
        {"metrics": {"accuracy": "much"}},
        {"metrics": {"thresholds": 5}},
        {"metrics": {"thresholds": [{"kind": "p", "value": "high"}]}},
    ],
)
def test_a_card_that_makes_no_sense_is_refused(
    package: MakePackage, odd: dict[str, object]
) -> None:
    card = msgspec.structs.replace(package().card, **odd)
    with pytest.raises(ExternalError, match="here: has invalid values") as caught:
        parse_card(card_bytes(card), "here")
    assert "\n" not in str(caught.value)
