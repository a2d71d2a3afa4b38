"""The output of ``ares models``: tables for a person, JSON for a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares.cli.computed import WALK_FORWARD
from ares.cli.output import (
    count,
    note,
    number,
    percent,
    plain,
    print_facts,
    print_table,
    say,
    some,
    utc,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from ares.adapters.model_store import StoredModels
    from ares.domain.model import Ensemble
    from ares.domain.model_life import Record, VerdictRecorded
    from ares.domain.package import Package, PackageCard
    from ares.runtime.lifecycle.model_list import ModelDetails, ModelList
    from ares.runtime.lifecycle.served_champions import ServedChampion
    from ares.runtime.registry.mlflow_sync import SyncReport
    from ares.runtime.registry.registry_state import RegistryState

NOTHING = "no models are stored: `ares train` makes some"


def show_listed(found: ModelList) -> None:
    """Print ensembles and packages, newest first."""
    listed, registry = found.stored, found.registry
    if not listed.ensembles and not listed.packages:
        say(NOTHING)
        for line in map(served_line, found.served):
            say(line)
        return
    ensembles = [
        (
            ensemble.hash[:12],
            ensemble.instrument,
            ensemble.anchor.value,
            " ".join(f"{m.timeframe}:{m.weight:.2f}" for m in ensemble.members),
            ensemble.validation.trades,
            number(ensemble.validation.mean_bps if ensemble.validation.trades else None, 1),
            coloured(status(ensemble, registry, found.served)),
            utc(ensemble.created_at),
        )
        for ensemble in listed.ensembles
    ]
    if ensembles:
        print_table(
            (
                "ensemble",
                "instrument",
                "anchor",
                "weights",
                "trades",
                "net bps",
                "status",
                "created",
            ),
            ensembles,
            title="Ensembles",
            optional=("anchor", "weights"),
        )
    packages = [
        (
            card.name,
            card.version,
            count(card.data_rows),
            percent(card.metrics.get("accuracy"), 1),
            percent(card.metrics.get("accuracy_base"), 1),
            percent(card.metrics.get("brier_skill"), 2),
            card.validation.trades,
            number(card.validation.mean_bps if card.validation.trades else None, 1),
            card.origin,
        )
        for card in listed.packages
    ]
    print_table(
        ("package", "version", "rows", "accuracy", "base", "skill", "trades", "net bps", "origin"),
        packages,
        title="Packages",
        optional=("base", "origin", "rows"),
    )
    for line in map(served_line, found.served):
        say(line)


COLOURS = {
    "champion": "green",
    "canary": "yellow",
    "shadow": "yellow",
    "challenger": "yellow",
    "candidate": "cyan",
    "archived": "dim",
    "evaluated_inferior": "red",
    "withdrawn": "red",
}


def coloured(text: str) -> Text:
    """Return a status in the colour of its stage, on terminals that have colours."""
    from rich.text import Text

    stage = text.replace(",", " ").split(" ")[0]
    return Text(text, style=COLOURS.get(stage, ""))


def listed_json(found: ModelList) -> list[dict[str, Any]]:
    """Return an entry for each ensemble and package, and where a run has another champion."""
    listed, registry = found.stored, found.registry
    ensembles = [ensemble_json(e, registry, found.served) for e in listed.ensembles]
    pairs = zip(listed.packages, listed.hashes, strict=True)
    served = [{"kind": "served_champion", **plain(row)} for row in found.served]
    return ensembles + [_card_json(card, own, listed, registry) for card, own in pairs] + served


def model_json(found: ModelDetails) -> dict[str, Any]:
    """Return everything that is known of a model."""
    from ares.domain.package import Package

    model, registry = found.model, found.registry
    if isinstance(model, Package):
        status = package_status(registry, found.stored, model.hash)
        return {**package_json(model), "model_status": status, "folder": str(found.folder)}
    history = [
        {"what": what, "at": at, "where": where, "who": by, "why": why, "verdict_hash": verdict}
        for at, what, where, by, why, verdict in history_of(registry, model.hash)
    ]
    return {**ensemble_json(model, registry, found.served), "history": history}


def package_json(package: Package) -> dict[str, Any]:
    """Return a package's card with its hash."""
    content: dict[str, Any] = plain(package.card)
    return {"kind": "package", "ref": package.card.ref, "hash": package.hash, **content}


def ensemble_json(
    ensemble: Ensemble, registry: RegistryState, served: Sequence[ServedChampion] = ()
) -> dict[str, Any]:
    """Return an ensemble with its hash and status."""
    content: dict[str, Any] = plain(ensemble)
    return {
        "kind": "ensemble",
        "hash": ensemble.hash,
        "status": status(ensemble, registry, served),
        "model_status": registry.status(ensemble.hash),
        "champion_in": registry.champion_in(ensemble.hash),
        "verdicts": [plain(v) for v in registry.verdicts if v.ensemble_hash == ensemble.hash],
        **content,
    }


def status(
    ensemble: Ensemble, registry: RegistryState, served: Sequence[ServedChampion] = ()
) -> str:
    """Return an ensemble's status; of a champion: where, by registry and by run."""
    others = {row.environment for row in served if row.registry_hash == ensemble.hash}
    found = [
        f"{environment} (not served)" if environment in others else environment
        for environment in registry.champion_in(ensemble.hash)
    ]
    found += [f"{row.environment} (run)" for row in served if row.ensemble_hash == ensemble.hash]
    if found:
        return f"champion in {', '.join(found)}"
    return registry.status(ensemble.hash)


def served_line(row: ServedChampion) -> str:
    """Return in words where a run has another champion than the registry."""
    has, wanted = row.ensemble_hash[:12] or "no champion", row.registry_hash[:12] or "none"
    since = f" since {utc(row.since_ms)}" if row.since_ms else ""
    by = f" ({row.who}: {row.reason})" if row.who else ""
    line = f"{row.instrument}: the run in {row.environment} has {has}{since}{by};"
    if row.is_pending:
        return f"{line} the next start takes over the registry's: {wanted}"
    return f"{line} the registry has {wanted}"


def package_status(registry: RegistryState, listed: StoredModels, package_hash: str) -> str:
    """Return a package's status: the best of the ensembles that it is in."""
    return registry.best_status(listed.containing(package_hash))


def show_sync(report: SyncReport) -> None:
    """Print what a sync brought to MLflow."""
    say(
        f"MLflow at {report.uri}, experiment {report.experiment}: {report.records} records of the "
        f"models' journal, {report.new_records} of them new"
    )
    for title in report.registered:
        say(f"registered {title}")
    for change in report.changed:
        say(f"set {change}")
    if not report.registered and not report.changed:
        say("nothing had to be changed")
    for line in report.corrected:
        note(line)


def show_model(found: ModelDetails) -> None:
    """Print what is known of a model."""
    from ares.domain.package import Package

    if isinstance(found.model, Package):
        _show_package(found.model, str(found.folder))
    else:
        _show_ensemble(found)


def _show_package(package: Package, folder: str) -> None:
    card = package.card
    metrics = card.metrics
    print_facts(
        {
            "trained on": ", ".join(card.instruments),
            "timeframe": card.timeframe.value,
            "origin": f"{card.origin}, {utc(card.created_at)}, commit {card.git_commit[:12]}",
            "rows": f"{count(card.data_rows)}, {utc(card.data_from_ms)} to {utc(card.data_to_ms)}",
            **(
                {"trained to": f"{utc(card.trained_to_ms)} UTC, promised at its import"}
                if card.trained_to_ms is not None
                else {}
            ),
            "trade": f"at most {card.horizon_bars} bars, width {card.width_sigmas:g} sigma, at "
            f"least {card.width_min_bps:.1f} bps; costs {card.cost_bps:.2f} bps; "
            f"simulated on bars of {card.path_interval or card.timeframe}",
            "payoff": f"a win is {card.gain:.2f} widths, a loss {card.loss:.2f}",
            "recipe": card.recipe_hash[:12],
            "features": f"{len(card.features)}, {card.features_hash[:12]}",
            "hash": package.hash,
            "files": f"{folder}: {', '.join(sorted(card.files))}",
        },
        title=card.ref,
    )
    names = ("rows", "days", "base_rate", "accuracy", "accuracy_base", "brier", "brier_skill",
             "calibration_error", "calibration_limit", "auc", "trades", "hit_rate", "net_bps",
             "net_total_bps", "buy_hold_bps")  # fmt: skip
    facts = {name.replace("_", " "): metrics[name] for name in names if name in metrics}
    title = f"Out of sample, {WALK_FORWARD}" if card.origin == "trained" else metrics["note"]
    print_facts(facts, title=title)
    rows = [
        (
            f"edge > {t['value']:g} bps" if t["kind"] == "edge_bps" else f"p > {t['value']:g}",
            number(t["signals_per_day"], 1),
            count(t["trades"]),
            percent(t["hit_rate"], 0),
            number(t["net_bps"], 1),
        )
        for t in metrics.get("thresholds", [])
    ]
    print_table(("trade when", "signals a day", "trades", "won", "net bps"), rows)


def _show_ensemble(found: ModelDetails) -> None:
    from ares.domain.model import Ensemble

    ensemble, registry = found.model, found.registry
    assert isinstance(ensemble, Ensemble)
    validation = ensemble.validation
    print_facts(
        {
            "instrument": ensemble.instrument,
            "status": status(ensemble, registry, found.served),
            "created": utc(ensemble.created_at),
            "anchor": f"{ensemble.anchor}: at most {ensemble.horizon_bars} bars, width "
            f"{ensemble.width_sigmas:g} sigma, at least {ensemble.width_min_bps:.1f} bps",
            "calibration": f"sigmoid({ensemble.platt_a:.3f} logit(p) {ensemble.platt_b:+.3f})",
            "payoff": f"a win is {ensemble.gain:.2f} widths, a loss {ensemble.loss:.2f}",
            "costs": f"{ensemble.cost_bps:.2f} bps",
            "validation": f"{some(validation.trades, 'walk-forward trade')}, "
            f"{validation.mean_bps:+.1f} bps each (deviation {validation.sd_bps:.1f})"
            if validation.trades
            else "no walk-forward trades",
            **_plausible(registry.last_verdict(ensemble.hash)),
            "recipe": ensemble.recipe_hash[:12],
            "hash": ensemble.hash,
        },
        title=f"{ensemble.instrument}  {ensemble.hash[:12]}",
    )
    rows = [
        (m.timeframe.value, f"{m.weight:.3f}", f"{m.name}/{m.version}", m.package_hash[:12])
        for m in ensemble.members
    ]
    print_table(("timeframe", "weight", "package", "hash"), rows)
    history = [
        (utc(at), *more, verdict[:12]) for at, *more, verdict in history_of(registry, ensemble.hash)
    ]
    if history:
        head = ("at", "what", "where", "who", "why", "verdict")
        print_table(head, history, title="History")
    for row in found.served:
        if ensemble.hash in (row.ensemble_hash, row.registry_hash):
            say(served_line(row))


def _plausible(verdict: VerdictRecorded | None) -> dict[str, str]:
    """Return the line of the card where a verdict found results above what is plausible."""
    from ares.learn.gate.verdict import PLAUSIBLE

    if verdict is not None and verdict.plausible_by:
        return {"plausible": f"by {verdict.plausible_by}: {verdict.plausible_reason}"}
    if verdict is not None and PLAUSIBLE in verdict.failed:
        return {"plausible": "no: its results are above what returns have ever shown"}
    return {}


def history_of(
    registry: RegistryState, ensemble_hash: str
) -> list[tuple[str, str, str, str, str, str]]:
    """Return (when, what, where, who, why, the verdict's hash) of each event of an ensemble."""
    rows = (_history_row(record, ensemble_hash) for record in registry.records_on(ensemble_hash))
    return [row for row in rows if row is not None]


def _history_row(record: Record, ensemble_hash: str) -> tuple[str, str, str, str, str, str] | None:
    """Return the row of a record; None: it is not part of the history shown."""
    from ares.domain import model_life

    match record:
        case model_life.VerdictRecorded(at=at, environment=where, who=by):
            what = "passed" if record.passed else "refused by the gate"
            why = [", ".join(record.failed)] if record.failed else []
            if record.plausible_by:
                why.append(f"plausible by {record.plausible_by}: {record.plausible_reason}")
            return at, what, where, by, "; ".join(why), record.verdict_hash
        case model_life.EnsemblePromoted(at=at, environment=where, who=by):
            if record.ensemble_hash == ensemble_hash:
                again = " again" if record.rolled_back or record.reverted else ""
                what = f"promoted{again}{' (forced)' if record.forced else ''}"
                return at, what, where, by, record.reason, record.verdict_hash
            successor = record.ensemble_hash[:12] or "none"
            verb = "rolled back" if record.rolled_back else "replaced"
            return at, f"{verb} by {successor}", where, by, record.reason, ""
        case model_life.EnsembleArchived(at=at, who=by):
            return at, "archived", "", by, record.reason, ""
        case model_life.ModelsImported(at=at, who=by):
            return at, "imported", "", by, record.source, ""
        case model_life.RequestRefused(at=at, environment=where, who=by):
            return at, f"{record.action} refused", where, by, record.reason, ""
    return None


def _card_json(
    card: PackageCard, own: str, listed: StoredModels, registry: RegistryState
) -> dict[str, Any]:
    shown = ("name", "version", "scope", "instruments", "timeframe", "origin", "recipe_hash",
            "features_hash", "data_from_ms", "data_to_ms", "data_rows", "data_hash", "validation",
            "cost_bps", "git_commit", "created_at")  # fmt: skip
    content: dict[str, Any] = {name: plain(getattr(card, name)) for name in shown}
    metrics = {n: v for n, v in card.metrics.items() if isinstance(v, int | float) or v is None}
    return {
        "kind": "package",
        "ref": card.ref,
        "hash": own,
        "model_status": package_status(registry, listed, own),
        "metrics": plain(metrics),
        **content,
    }
