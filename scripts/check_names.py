"""Holds the names in src/ares to standard terms: no metaphor in a name, no two classes of one name.

Run by ``make lint``. Names are read from the syntax tree: modules, classes, functions, arguments,
variables, attributes, keyword arguments. Texts are not read.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1] / "src" / "ares"

INSTEAD = {
    "evaluate, evaluator": "court courts hear hears heard hearing unheard deaf",
    "scores, outputs": "witness testimony testimonies voice voiced voices spoken said says",
    "learner": "teacher pupil pupils school taught teach lesson lessons",
    "known, in_sample": "told untold",
    "request, runner": "desk",
    "promote, champion": "crown crowned",
    "what it does: reset, ignore": "forgive forgiven",
    "unknown": "stranger strangers nonsense",
    "parity": "lean leans",
    "slot, assigned": "seat seats seated",
    "stage": "station stations",
    "require": "insist insists",
    "local, remote; stored, offered": "mine theirs ours",
    "equity, value": "worth",
    "ablation, other": "beside",
    "error": "mistake mistakes trouble",
    "account": "till",
}
"""What to write instead -> words that may be no part of a name."""

WHOLE = {
    "what it is: instrument, package, row": "one",
    "row, index, position": "place places",
    "what it holds: requested, limit": "asked",
}
"""What to write instead -> words that may be no name by themselves."""


UNFINISHED = frozenset(
    {
        "adapters/candle_columns.py",
        "adapters/candle_files.py",
        "adapters/candle_names.py",
        "adapters/candle_rules.py",
        "adapters/card_file.py",
        "adapters/ccxt_candles.py",
        "adapters/mlflow_registry.py",
        "adapters/model_bundle.py",
        "adapters/model_store.py",
        "adapters/news_feed.py",
        "adapters/onnx_model.py",
        "adapters/user_module.py",
        "adapters/worker_pool.py",
        "bootstrap/run_choices.py",
        "bootstrap/runs.py",
        "cli/backtest.py",
        "cli/config.py",
        "cli/data.py",
        "cli/data_views.py",
        "cli/demo.py",
        "cli/deploy.py",
        "cli/deploy_views.py",
        "cli/gate_views.py",
        "cli/learn.py",
        "cli/main.py",
        "cli/models.py",
        "cli/models_ab.py",
        "cli/models_gate.py",
        "cli/models_views.py",
        "cli/news.py",
        "cli/news_views.py",
        "cli/run.py",
        "cli/sim.py",
        "cli/tables.py",
        "cli/train.py",
        "cli/train_views.py",
        "cli/why.py",
        "config/deployment.py",
        "config/explain.py",
        "config/fields.py",
        "config/learning.py",
        "config/load.py",
        "config/sentiment.py",
        "config/settings.py",
        "config/trading.py",
        "config/yaml_lines.py",
        "core/challenger.py",
        "core/facts.py",
        "core/slots.py",
        "core/state.py",
        "core/step.py",
        "core/windows.py",
        "demo.py",
        "domain/code_hash.py",
        "domain/package.py",
        "journal/log.py",
        "journal/run.py",
        "kernel/e_process.py",
        "kernel/ensemble.py",
        "kernel/features/columns.py",
        "kernel/features/momentum.py",
        "kernel/features/range.py",
        "kernel/features/returns.py",
        "kernel/features/sentiment.py",
        "kernel/features/user.py",
        "kernel/jit.py",
        "kernel/live.py",
        "kernel/resample.py",
        "kernel/trade/arm_pnl.py",
        "kernel/trade/decide.py",
        "kernel/trade/money.py",
        "kernel/trade/rules.py",
        "kernel/trade/scan.py",
        "learn/calibration.py",
        "learn/calibration_error.py",
        "learn/drift.py",
        "learn/ensemble.py",
        "learn/equity.py",
        "learn/evaluate.py",
        "learn/gate/baselines.py",
        "learn/gate/calibration.py",
        "learn/gate/evidence_builder.py",
        "learn/gate/leaks.py",
        "learn/gate/oos_scores.py",
        "learn/gate/pbo.py",
        "learn/gate/picture.py",
        "learn/gate/sentiment_ablation.py",
        "learn/gate/trials.py",
        "learn/gate/verdict_text.py",
        "learn/labels.py",
        "learn/leakage.py",
        "learn/learner_state.py",
        "learn/onnx_graph.py",
        "learn/package.py",
        "learn/parity.py",
        "learn/picture.py",
        "learn/rows.py",
        "learn/sentiment.py",
        "learn/thresholds.py",
        "learn/triggers.py",
        "learn/walk_forward.py",
        "observe/arms_report.py",
        "observe/candle_check.py",
        "observe/learning_report.py",
        "observe/news_check.py",
        "observe/run_report.py",
        "research/account_path.py",
        "research/backtest.py",
        "research/backtest_request.py",
        "research/baselines.py",
        "research/market.py",
        "research/report_figures.py",
        "research/report_html.py",
        "research/report_series.py",
        "research/report_text.py",
        "research/result_json.py",
        "research/signals.py",
        "research/strategy.py",
        "research/tables.py",
        "research/window.py",
        "runtime/deploy/approval.py",
        "runtime/deploy/install.py",
        "runtime/deploy/plan.py",
        "runtime/deploy/proof.py",
        "runtime/deploy/rollback.py",
        "runtime/deploy/service.py",
        "runtime/deploy/staging.py",
        "runtime/deploy/state.py",
        "runtime/deploy/status.py",
        "runtime/deploy/verify.py",
        "runtime/engine/feed.py",
        "runtime/engine/heartbeat.py",
        "runtime/engine/history_run.py",
        "runtime/engine/hot_swap.py",
        "runtime/engine/news.py",
        "runtime/engine/plan.py",
        "runtime/engine/prefetch.py",
        "runtime/engine/served_models.py",
        "runtime/engine/setup_differences.py",
        "runtime/ingest/candle_import.py",
        "runtime/ingest/news_import.py",
        "runtime/learner/drift_job.py",
        "runtime/learner/learner.py",
        "runtime/learner/refit.py",
        "runtime/lifecycle/bundle_import.py",
        "runtime/lifecycle/model_export.py",
        "runtime/lifecycle/promotion.py",
        "runtime/registry/model_journal.py",
        "runtime/registry/model_mirror.py",
        "runtime/replay/certify.py",
        "runtime/replay/explain.py",
        "runtime/replay/recompute.py",
        "runtime/replay/restep.py",
        "runtime/replay/user_columns.py",
        "runtime/trade_rules.py",
        "runtime/training/instrument_history.py",
        "runtime/training/job.py",
        "runtime/training/news.py",
        "runtime/training/report.py",
        "runtime/training/train.py",
        "runtime/validation/compare.py",
        "runtime/validation/evaluator.py",
        "runtime/validation/member_job.py",
        "runtime/validation/model_check.py",
        "runtime/validation/refit_verdict.py",
        "runtime/validation/validate.py",
        "runtime/validation/verdict_file.py",
        "sim/prices.py",
        "store/database.py",
        "store/history.py",
        "store/projections.py",
        "store/rows.py",
    }
)
"""Files that are not read yet."""


class Problem(NamedTuple):
    """A name that is not allowed."""

    path: Path
    line: int
    name: str
    text: str

    def __str__(self) -> str:
        """Return the problem as a linter prints it."""
        return f"{self.path}:{self.line}: {self.name}: {self.text}"


def main() -> int:
    """Print every problem below src/ares; return 1 where there is one."""
    found = [*old_words(ROOT), *same_classes(ROOT)]
    for problem in found:
        print(problem)
    return 1 if found else 0


def old_words(root: Path) -> list[Problem]:
    """Return the names with a word that is not allowed, by file and line."""
    parts = _by_word(INSTEAD)
    alone = _by_word(WHOLE)
    found = []
    for path in sorted(root.rglob("*.py")):
        if str(path.relative_to(root)) in UNFINISHED:
            continue
        seen = {(0, path.stem)} | set(_names(ast.parse(path.read_text(encoding="utf-8"))))
        for line, name in sorted(seen):
            instead = alone.get(name.strip("_")) or next(
                (parts[word] for word in split(name) if word in parts), None
            )
            if instead:
                found.append(Problem(path.relative_to(root), line, name, f"write {instead}"))
    return found


def same_classes(root: Path) -> list[Problem]:
    """Return the public classes whose name another module has too."""
    defined: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append((path.relative_to(root), node.lineno))
    return [
        Problem(path, line, name, f"is a class of {others[0][0]} too")
        for name, (*others, (path, line)) in defined.items()
        if others
    ]


def split(name: str) -> list[str]:
    """Return the words of a name in snake or camel case.

    >>> split("said_bps"), split("EnsembleScores"), split("SAID_EDGE")
    (['said', 'bps'], ['ensemble', 'scores'], ['said', 'edge'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def _by_word(instead: dict[str, str]) -> dict[str, str]:
    return {word: text for text, listed in instead.items() for word in listed.split()}


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of everything that has a name of its own; imports are others' names."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


if __name__ == "__main__":
    sys.exit(main())
