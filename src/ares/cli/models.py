"""``ares models``: the stored models, their import and export, and their moves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.models_ab import ab
from ares.cli.models_add import add
from ares.cli.models_gate import archive, compare, dismiss, promote, rollback, validate
from ares.cli.output import JSON_OPTION, error_line, note, print_json, say
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.adapters.model_bundle import Bundle

app = typer.Typer(no_args_is_help=True)

MODEL = "name, name/version, an ensemble's hash, or a symbol."


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> int:
    """Show every ensemble and package, newest first, with its status.

    Exit code 3: a model is damaged, or a champion is missing.
    """
    from ares.bootstrap.lifecycle import list_models
    from ares.cli.models_views import listed_json, show_listed
    from ares.config.workspace import Workspace

    found = list_models(Workspace.here())
    if json_:
        print_json(listed_json(found))
    else:
        show_listed(found)
    for problem in found.problems:
        error_line(problem)
    if found.remark:
        note(found.remark)
    return 3 if found.problems else 0


@app.command()
def show(model: str = typer.Argument(..., help=MODEL), json_: bool = JSON_OPTION) -> None:
    """Show a model: its recipe and data, its evidence, and its history."""
    from ares.bootstrap.lifecycle import find_model
    from ares.cli.models_views import model_json, show_model
    from ares.config.workspace import Workspace

    found = find_model(Workspace.here(), model)
    if json_:
        print_json(model_json(found))
    else:
        show_model(found)
        if found.choice:
            note(f"{model}: {found.choice}")


@app.command()
def export(
    model: str = typer.Argument(..., help=MODEL),
    target: Path = typer.Argument(..., help="A new folder, or a new file ending in .zip."),
    json_: bool = JSON_OPTION,
) -> None:
    """Write a package, or an ensemble with its packages and verdicts, to a folder or a zip file.

    The zip file of an ensemble is what `ares deploy install` puts into production.
    """
    from ares.bootstrap.lifecycle import export_model
    from ares.config.workspace import Workspace
    from ares.domain.package import sha256

    bundle = export_model(Workspace.here(), model, target)
    more = {"target": str(target)}
    if target.is_file():
        more["sha256"] = sha256(target.read_bytes())
    _print_bundle(bundle, "exported", json_, more)
    if "sha256" in more and not json_:
        say(f"{target}: SHA-256 {more['sha256']}")


@app.command("import")
def import_(
    path: Path = typer.Argument(..., help="An export (zip or folder), or an .onnx file."),
    symbol: str = typer.Option("", "--symbol", "-s", help="What an .onnx file is a model of."),
    interval: str = typer.Option("", "--interval", "-i", help="Its timeframe: 1m 5m 15m ..."),
    trained_to: str = typer.Option(
        "",
        "--trained-to",
        help="A promise: the .onnx file has learned from no later bar (UTC).",
    ),
    json_: bool = JSON_OPTION,
) -> None:
    """Import a model, verified; an .onnx file of your own is tried on stored candles first.

    Only bars after --trained-to are evidence on it. Without it these are the bars after the
    import: the way to evidence is to run it as a challenger, with virtual trades.

    An .onnx file: input 'features' float32 (n, 56), output 'probability' (n, 1), the chance that
    the trade wins net of costs; columns and an example: docs/MODELS.md.
    """
    from ares.bootstrap.lifecycle import import_bundle
    from ares.config.workspace import Workspace

    if path.suffix.lower() == ".onnx":
        _import_onnx(path, symbol, interval, trained_to, json_)
        return
    if trained_to:
        raise UserError("--trained-to is for an .onnx file: an export has its data window")
    bundle, warnings = import_bundle(Workspace.here(), path)
    _print_bundle(bundle, "imported", json_, {})
    for warning in warnings:
        note(warning)


@app.command()
def sync(json_: bool = JSON_OPTION) -> None:
    """Bring MLflow up to date with the models' journal, and show what changed there.

    Every change of a model does so too; this compares every model, also where nothing is new.
    Exit code 3: MLflow cannot be reached.
    """
    from ares.bootstrap.mlflow import sync_models
    from ares.cli.models_views import show_sync
    from ares.config.workspace import Workspace

    report = sync_models(Workspace.here(), everything=True)
    if json_:
        print_json(report)
    else:
        show_sync(report)


for _verb in (add, validate, promote, rollback, dismiss, archive, compare, ab):
    app.command()(_verb)


def _import_onnx(path: Path, symbol: str, interval: str, trained_to: str, json_: bool) -> None:
    from ares.bootstrap.lifecycle import import_onnx
    from ares.cli.models_views import package_json
    from ares.config.workspace import Workspace
    from ares.learn.evaluate import Basis, sentence
    from ares.research.window import parse_utc

    trained_to_ms = parse_utc(trained_to) if trained_to else None
    imported, warnings = import_onnx(Workspace.here(), path, symbol, interval, trained_to_ms)
    ensemble_hash, card = imported.ensemble.hash, imported.package.card
    if json_:
        print_json({**package_json(imported.package), "ensemble": ensemble_hash})
    else:
        say(f"imported {imported.package.card.ref}, alone in ensemble {ensemble_hash[:12]}")
        basis: Basis = "unknown" if card.trained_to_ms is None else "promised"
        say(f"{sentence(imported.metrics, basis)} ({card.metrics['note']})")
    for warning in warnings:
        note(warning)


def _print_bundle(bundle: Bundle, verb: str, json_: bool, more: dict[str, str]) -> None:
    packages = [package.card.ref for package in bundle.packages]
    ensemble_hash = None if bundle.ensemble is None else bundle.ensemble.hash
    if json_:
        print_json({"packages": packages, "ensemble": ensemble_hash, **more})
        return
    for ref in packages:
        say(f"{verb} {ref}")
    if ensemble_hash:
        say(f"{verb} ensemble {ensemble_hash[:12]}")
