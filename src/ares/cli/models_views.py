"""What ``ares models`` shows: the same answers as tables for a person, as JSON for a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares.cli.output import count, note, number, percent, plain, print_facts, print_table, say, utc

if TYPE_CHECKING:
    from ares.adapters.model_store import ModelStore, StoredModels
    from ares.domain.model import Ensemble
    from ares.domain.package import Package, PackageCard
    from ares.runtime.registry.mlflow_sync import SyncReport
    from ares.runtime.registry.registry_state import RegistryState

NOTHING = "no models are stored: `ares train` makes some"


def show_listed(listed: StoredModels, book: RegistryState) -> None:
    """Print ensembles and packages, newest first."""
    if not listed.ensembles and not listed.packages:
        say(NOTHING)
        return
    ensembles = [
        (
            one.hash[:12],
            one.instrument,
            one.anchor.value,
            " ".join(f"{m.timeframe}:{m.weight:.2f}" for m in one.members),
            one.validation.trades,
            number(one.validation.mean_bps if one.validation.trades else None, 1),
            status(one, book),
            one.created_at,
        )
        for one in listed.ensembles
    ]
    if ensembles:
        print_table(
            ("ensemble", "instrument", "anchor", "weights", "trades", "net bps", "status", "made"),
            ensembles,
            title="Ensembles",
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
    )


def listed_json(listed: StoredModels, book: RegistryState) -> list[dict[str, Any]]:
    """Return one entry for each ensemble and package."""
    ensembles = [ensemble_json(one, book) for one in listed.ensembles]
    pairs = zip(listed.packages, listed.hashes, strict=True)
    return ensembles + [_card_json(card, own, listed, book) for card, own in pairs]


def model_json(store: ModelStore, found: Package | Ensemble, book: RegistryState) -> dict[str, Any]:
    """Return everything that is known of a model."""
    from ares.domain.package import Package

    if isinstance(found, Package):
        folder, listed = str(store.folder(found.card)), store.listed()
        status = package_status(book, listed, found.hash)
        return {**package_json(found), "model_status": status, "folder": folder}
    history = [
        {"what": what, "at": at, "where": where, "who": by, "why": why, "verdict_hash": verdict}
        for at, what, where, by, why, verdict in moves(book, found.hash)
    ]
    return {**ensemble_json(found, book), "history": history}


def package_json(package: Package) -> dict[str, Any]:
    """Return a package's card with its hash."""
    whole: dict[str, Any] = plain(package.card)
    return {"kind": "package", "ref": package.card.ref, "hash": package.hash, **whole}


def ensemble_json(ensemble: Ensemble, book: RegistryState) -> dict[str, Any]:
    """Return an ensemble with its hash and status."""
    whole: dict[str, Any] = plain(ensemble)
    return {
        "kind": "ensemble",
        "hash": ensemble.hash,
        "status": status(ensemble, book),
        "model_status": book.status(ensemble.hash),
        "champion_in": book.champion_in(ensemble.hash),
        "verdicts": [plain(v) for v in book.verdicts if v.ensemble_hash == ensemble.hash],
        **whole,
    }


def status(ensemble: Ensemble, book: RegistryState) -> str:
    """Return a model's status, of a champion where it is so."""
    places = book.champion_in(ensemble.hash)
    return f"champion in {', '.join(places)}" if places else book.status(ensemble.hash)


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


def show_model(store: ModelStore, found: Package | Ensemble, book: RegistryState) -> None:
    """Print what a person asks of a model."""
    from ares.domain.package import Package

    if isinstance(found, Package):
        _show_package(store, found)
    else:
        _show_ensemble(found, book)


def _show_package(store: ModelStore, package: Package) -> None:
    card = package.card
    metrics = card.metrics
    print_facts(
        {
            "made of": ", ".join(card.instruments),
            "timeframe": card.timeframe.value,
            "origin": f"{card.origin}, {card.created_at}, commit {card.git_commit[:12]}",
            "rows": f"{count(card.data_rows)}, {utc(card.data_from_ms)} to {utc(card.data_to_ms)}",
            "trade": f"at most {card.horizon_bars} bars, width {card.width_sigmas:g} sigma, at "
            f"least {card.width_min_bps:.1f} bps; costs {card.cost_bps:.2f} bps; "
            f"watched on bars of {card.watched or card.timeframe}",
            "payoff": f"a win is {card.gain:.2f} widths, a loss {card.loss:.2f}",
            "recipe": card.recipe_hash[:12],
            "features": f"{len(card.features)}, {card.features_hash[:12]}",
            "hash": package.hash,
            "files": f"{store.folder(card)}: {', '.join(sorted(card.files))}",
        },
        title=card.ref,
    )
    names = ("rows", "days", "base_rate", "accuracy", "accuracy_base", "brier", "brier_skill",
             "calibration_error", "calibration_limit", "auc", "trades", "hit_rate", "net_bps",
             "net_total_bps", "buy_hold_bps")  # fmt: skip
    facts = {name.replace("_", " "): metrics[name] for name in names if name in metrics}
    print_facts(facts, title="Out of sample" if card.origin == "trained" else metrics["note"])
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


def _show_ensemble(ensemble: Ensemble, book: RegistryState) -> None:
    validation = ensemble.validation
    print_facts(
        {
            "instrument": ensemble.instrument,
            "status": status(ensemble, book),
            "made": ensemble.created_at,
            "anchor": f"{ensemble.anchor}: at most {ensemble.horizon_bars} bars, width "
            f"{ensemble.width_sigmas:g} sigma, at least {ensemble.width_min_bps:.1f} bps",
            "calibration": f"sigmoid({ensemble.platt_a:.3f} logit(p) {ensemble.platt_b:+.3f})",
            "payoff": f"a win is {ensemble.gain:.2f} widths, a loss {ensemble.loss:.2f}",
            "costs": f"{ensemble.cost_bps:.2f} bps",
            "validation": f"{validation.trades} trades out of sample, {validation.mean_bps:+.1f} "
            f"bps each (deviation {validation.sd_bps:.1f})"
            if validation.trades
            else "no trades out of sample",
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
        (at[:19].replace("T", " "), *more, verdict[:12])
        for at, *more, verdict in moves(book, ensemble.hash)
    ]
    if history:
        head = ("at", "what", "where", "who", "why", "verdict")
        print_table(head, history, title="History")


def moves(book: RegistryState, ensemble_hash: str) -> list[tuple[str, str, str, str, str, str]]:
    """Return (when, what, where, who, why, the verdict's hash) of all that happened to a model."""
    from ares.domain.model_life import (
        EnsembleArchived,
        EnsemblePromoted,
        RequestRefused,
        VerdictRecorded,
    )

    found = []
    for one in book.records_on(ensemble_hash):
        if isinstance(one, VerdictRecorded):
            failed = "" if one.passed else f"{', '.join(one.failed)}"
            what = "passed" if one.passed else "refused by the gate"
            found.append((one.at, what, one.environment, one.who, failed, one.verdict_hash))
        elif isinstance(one, EnsemblePromoted):
            forced = " by force" if one.forced else ""
            what = f"champion{' again' if one.rolled_back else ''}{forced}"
            verdict = one.verdict_hash
            if one.ensemble_hash != ensemble_hash:
                verdict = ""
                what = f"{'rolled back' if one.rolled_back else 'followed'} by "
                what += one.ensemble_hash[:12] or "nobody"
            found.append((one.at, what, one.environment, one.who, one.reason, verdict))
        elif isinstance(one, EnsembleArchived):
            found.append((one.at, "archived", "", one.who, one.reason, ""))
        elif isinstance(one, RequestRefused):
            found.append((one.at, f"{one.what} refused", one.environment, one.who, one.reason, ""))
    return found


def _card_json(
    card: PackageCard, own: str, listed: StoredModels, book: RegistryState
) -> dict[str, Any]:
    kept = ("name", "version", "scope", "instruments", "timeframe", "origin", "recipe_hash",
            "features_hash", "data_from_ms", "data_to_ms", "data_rows", "data_hash", "validation",
            "cost_bps", "git_commit", "created_at")  # fmt: skip
    whole: dict[str, Any] = {name: plain(getattr(card, name)) for name in kept}
    metrics = {n: v for n, v in card.metrics.items() if isinstance(v, int | float) or v is None}
    return {
        "kind": "package",
        "ref": card.ref,
        "hash": own,
        "model_status": package_status(book, listed, own),
        "metrics": plain(metrics),
        **whole,
    }
