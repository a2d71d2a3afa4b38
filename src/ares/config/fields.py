"""How a setting is declared: default, meaning, unit, limits, and whether it may change live."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A group of settings: frozen, no unknown keys, no NaN and no infinities."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )


def key(
    default: Any,
    meaning: str,
    unit: str = "",
    *,
    live: bool = False,
    secret: bool = False,
    **limits: Any,
) -> Any:
    """Declare one setting.

    meaning : one or two sentences, printed above the key in ``ares.yaml``.
    unit    : of the value; empty for names and switches.
    live    : it may be changed while the engine runs.
    secret  : it may hold a password: masked when shown, offered in ``.env.example``.
    limits  : ``gt``, ``ge``, ``lt``, ``le``, ``pattern``, ``min_length`` as in pydantic.
    """
    extra: dict[str, Any] = {"unit": unit, "live": live, "secret": secret}
    return Field(default, description=meaning, json_schema_extra=extra, **limits)


def section(kind: type[Section]) -> Any:
    """Declare a section with all its defaults; its meaning is the class's docstring."""
    return Field(default_factory=kind)


def setting_error(text: str, *at: str | int) -> PydanticCustomError:
    """Return the error of the value at the path ``at`` below the section."""
    return PydanticCustomError("ares", "{text}", {"text": text, "at": at})


def _share(value: float) -> float:
    if value > 1:
        raise setting_error(
            f"is a fraction: {value:g} means {value * 100:g}%, "
            f"write {_decimal(value / 100)} for {value:g}%"
        )
    if value < 0:
        raise setting_error("is a fraction: it must be between 0 and 1")
    return value


def _probability(value: float) -> float:
    if not 0 <= value <= 1:
        raise setting_error("is a probability: it must be between 0 and 1, such as 0.80")
    return value


def _percent(value: float) -> float:
    if 0 < value < 1:
        raise setting_error(
            f"is in percent: {value:g} means {value:g}%, write {value * 100:g} for {value * 100:g}%"
        )
    if not 0 < value <= 100:
        raise setting_error("is in percent: it must be above 0 and at most 100")
    return value


def _decimal(value: float) -> str:
    """Return a fraction with at least two decimals: ``0.10``."""
    text = f"{value:g}"
    return text + "0" if len(text.partition(".")[2]) == 1 else text


Share = Annotated[float, AfterValidator(_share)]
"""A fraction of a whole, 0 to 1; a percentage is refused with a hint."""

Probability = Annotated[float, AfterValidator(_probability)]
"""A probability, 0 to 1."""

Percent = Annotated[float, AfterValidator(_percent)]
"""A percentage, above 0 to 100; a fraction is refused with a hint."""
