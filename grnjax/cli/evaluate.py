"""`grnjax evaluate`: judge any program's network file against a true network."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.baselines.controls import label_rows
from grnjax.config import Settings
from grnjax.data.edges import read_edges
from grnjax.data.label_matrix import label_matrix
from grnjax.data.names import match_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evaluation.early_precision import areas_over_all_pairs, early_precision
from grnjax.evaluation.metrics import evaluate_pairs, to_logits
from grnjax.evaluation.report import format_table, summarise
from grnjax.progress import logger
from grnjax.storage.files import lock_run, open_run, write_json
from grnjax.tasks.record import digest_inputs
from grnjax.types import LabelledPairs

SUBMITTED = "this network"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateCommand(Settings):
    """Judge a ranked network, of any program, against a true one.

    The candidates are the labelled pairs of the truth if it has labels 0 and 1; otherwise each TF
    of the truth with each of its genes, self pairs left out. Pairs that the network does not
    rank share the last place. Pairs of --train are left out.
    """

    edges: Positional[Path]
    """Network: TF, target and weight in text or .parquet; .h5ad or .zarr with .varp['grn']."""
    truth: Path
    """True network."""
    train: Path | None = None
    """Edges (or labelled pairs) the network was trained on; they make the trivial rows."""
    out: Path | None = None
    """Folder for evaluation.json."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(EvaluateCommand, args, program="grnjax evaluate")
    predicted = read_edges(command.edges)
    if "weight" not in predicted:
        raise ConfigError(f"{command.edges} has no column of weights, so nothing ranks its edges.")
    truth = rename(read_edges(command.truth), predicted, command.truth)
    known = None if command.train is None else read_edges(command.train)
    known = known if known is None else rename(known, truth, command.train)
    candidates = list_candidates(truth, known)
    rows = [judge(SUBMITTED, candidates, look_up(predicted, candidates, command.edges))]
    if known is not None:
        scores = trivial_scores(known, candidates)
        rows += [judge(name, candidates, column) for name, column in scores.items()]
    print("\n" + format_table(summarise(rows)).rpartition("\n")[0])
    beeline = None
    if known is None:
        positives = truth[truth["label"] == 1] if "label" in truth else truth
        beeline = {
            "all_edges": early_precision(predicted, positives),
            "tf_edges": early_precision(predicted, positives, tf_edges=True),
            "areas_over_all_pairs": areas_over_all_pairs(predicted, positives),
        }
        early = beeline["tf_edges"]["early_precision_ratio"]
        print(f"\nEarly precision ratio by BEELINE's rule, TF edges: {early:.3f}")
    else:
        print("\nBEELINE's own figures are left out: they know no trained pairs.")
    if command.out is not None:
        write_evaluation(command, rows, beeline)


def rename(frame: pd.DataFrame, like: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The edges with names spelt as in `like` where they differ by case only."""
    theirs = sorted(set(like["tf"]) | set(like["target"]))
    ours = sorted(set(frame["tf"]) | set(frame["target"]))
    match = match_names(ours, theirs)
    if (match.positions < 0).all():
        raise GeneMismatchError(
            f"{path}: none of its {len(ours):,} genes ({', '.join(ours[:5])}) is among the "
            f"{len(theirs):,} of the other network ({', '.join(theirs[:5])}). Give both the same "
            "kind of gene names."
        )
    if match.rule != "exact":
        logger.info("%s: names joined by %s spelling", path, match.rule)
    spelling = {
        name: theirs[place] if place >= 0 else name
        for name, place in zip(ours, match.positions, strict=True)
    }
    return frame.assign(tf=frame["tf"].map(spelling), target=frame["target"].map(spelling))


def list_candidates(truth: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """The pairs to judge: columns tf, target, label."""
    if "label" in truth:
        candidates = truth[["tf", "target", "label"]]
    else:
        genes = sorted(set(truth["tf"]) | set(truth["target"]))
        pairs = pd.MultiIndex.from_product([sorted(set(truth["tf"])), genes])
        pairs = pairs[pairs.get_level_values(0) != pairs.get_level_values(1)]
        candidates = pairs.to_frame(index=False, name=["tf", "target"])
        true = pd.MultiIndex.from_frame(truth[["tf", "target"]])
        candidates["label"] = pairs.isin(true).astype(int)
    if known is not None:
        trained = pd.MultiIndex.from_frame(known[["tf", "target"]])
        is_trained = pd.MultiIndex.from_frame(candidates[["tf", "target"]]).isin(trained)
        logger.info("%d candidates were trained on and are left out", is_trained.sum())
        candidates = candidates[~is_trained]
    return candidates.reset_index(drop=True)


def look_up(predicted: pd.DataFrame, candidates: pd.DataFrame, path: Path) -> np.ndarray:
    """The absolute weight of each candidate; 0, the last place, where the network has none.

    Weights that all lie in [0, 1] count as probabilities and are turned into logits: ranks stay,
    and swap concordance, which adds and subtracts scores, becomes that of the model behind them.
    """
    weights = predicted.set_index(["tf", "target"])["weight"].abs()
    found = weights.reindex(pd.MultiIndex.from_frame(candidates[["tf", "target"]])).to_numpy()
    missing = np.isnan(found)
    if missing.all():
        raise GeneMismatchError(
            f"{path}: it ranks none of the {len(candidates):,} candidate pairs; check that TF and "
            "target stand in the right columns and that the gene names are of one kind."
        )
    if missing.any():
        logger.warning("%s: %d of %d candidates are not ranked", path, missing.sum(), len(found))
    scores = np.where(missing, 0.0, found)
    return to_logits(scores) if scores.max() <= 1 else scores


def trivial_scores(known: pd.DataFrame, candidates: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the training labels alone say of each candidate, by trivial row.

    Without labels in `known`, every other pair of the candidates' TFs and genes counts as 0. The
    identity-only and the expression rows need what a network file lacks: `grnjax train` has them.
    """
    columns = ["tf", "target"]
    names = np.unique(np.concatenate([known[columns], candidates[columns]]))
    pairs, trained = (np.searchsorted(names, frame[columns]) for frame in (candidates, known))
    tfs = np.unique(np.concatenate([pairs[:, 0], trained[:, 0]]))
    labels = known["label"] if "label" in known else np.ones(len(known))
    train = LabelledPairs(trained, np.asarray(labels, np.float32))
    matrix = label_matrix(train, tfs, len(names))
    if "label" not in known:
        matrix = dataclasses.replace(matrix, observed=np.ones_like(matrix.observed))
    row = np.searchsorted(tfs, pairs[:, 0])
    return {name: block[row, pairs[:, 1]] for name, block in label_rows(matrix).items()}


def judge(method: str, candidates: pd.DataFrame, scores: np.ndarray) -> dict:
    """A results row."""
    codes, _ = pd.factorize(candidates[["tf", "target"]].to_numpy().ravel(), sort=True)
    labels = candidates["label"].to_numpy(np.float32)
    metrics = evaluate_pairs(codes.reshape(-1, 2), labels, scores)
    return {"method": method, "draw": 0, "seed": 0, **metrics}


def write_evaluation(command: EvaluateCommand, rows: list[dict], beeline: dict | None) -> None:
    """evaluation.json in the folder that was asked for."""
    paths = {"edges": command.edges, "truth": command.truth, "train": command.train}
    record = {"command": "evaluate", "inputs": digest_inputs(paths)}
    with lock_run(command.out):
        open_run(command.out, record)
        path = command.out / "evaluation.json"
        write_json(path, {**record, "rows": rows, "beeline": beeline})
    print(f"Written to {path}")
