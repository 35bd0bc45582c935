"""A ranked network of any program judged against a true one, beside what train labels alone say."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.baselines.controls import label_rows
from grnjax.data.edges import offer_weights, take_network
from grnjax.data.genes import mark_tfs
from grnjax.data.label_matrix import label_matrix
from grnjax.data.names import list_names, match_names
from grnjax.data.tf_lists import list_tfs
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evaluation.early_precision import areas_over_all_pairs, early_precision
from grnjax.evaluation.metrics import evaluate_pairs, to_logits
from grnjax.evaluation.report import format_table, summarise
from grnjax.methods.compendium.seen_lists import find_seen_lists
from grnjax.progress import logger
from grnjax.storage.outputs import RESULT
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import LabelledPairs

SUBMITTED = "this network"


WeightKind = Literal["auto", "probabilities", "scores"]


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures of a network; printed, they are a table."""

    rows: list[dict]  # of the network, then of the trivial rows: method and metrics
    beeline: dict | None  # early precision and areas by BEELINE's rules; None with train pairs
    seen: dict | None = None
    """Lists that the ranking was made from and the truth is among (`find_seen_lists`)."""

    @property
    def table(self) -> pd.DataFrame:
        """The rows, one a method, by its name."""
        return pd.DataFrame(self.rows).set_index("method").drop(columns=["draw", "seed"])

    def __str__(self) -> str:
        table = format_table(summarise(self.rows)).rpartition("\n")[0]
        if self.seen is None:
            return table
        cells = [row["cell_type"] for rows in self.seen.values() for row in rows]
        told = list_names(dict.fromkeys(cells))
        return f"{table}\n\nThe ranking knows this truth, by lists of {told}."


def evaluate(
    edges: RankedNetwork | pd.DataFrame | str | Path,
    truth: pd.DataFrame | str | Path,
    *,
    train: pd.DataFrame | str | Path | None = None,
    tfs: Iterable[str] | str | Path | None = None,
    weight_column: str | None = None,
    weights: WeightKind = "auto",
) -> Evaluation:
    """How well a ranked network finds true edges, beside the trivial rows of its train pairs.

    The candidates are the labelled pairs of the truth if it has labels 0 and 1; otherwise each TF
    of the truth with each of its genes, self pairs left out. Pairs that the network does not rank
    share the last place. Weights are taken without their sign.

    Args:
        edges: a table or file with TF, target and weight, as any program writes it, a directed
            graph of networkx, or such triples; the other networks likewise. Or what `infer`
            returns: of that, and of a file in a run folder of `infer`, it is known which lists of
            other cells it was made from, and a warning says if the truth is among them.
        truth: the true network; names that differ from those of `edges` as exporters rewrite them
            are joined.
        train: edges or labelled pairs that the network was trained on; they are left out, and make
            the trivial rows.
        tfs: names or a file; the TFs whose pairs are candidates, where not those of the truth.
        weight_column: heading of the weights of `edges`, or the key of its network in AnnData.
        weights: what they are; auto: probabilities if all lie in [0, 1].

    Raises:
        ConfigError: nothing ranks the edges.
        SplitError: the candidates are all true, or none is.
        GeneMismatchError: the networks have no gene in common.
    """
    origin = find_origin(edges)
    if isinstance(edges, RankedNetwork):
        edges = edges.edges
    edges, truth, train = map(as_table, (edges, truth, train))
    predicted, source = take_network(edges, "edges", weight_column=weight_column)
    offer = offer_weights(predicted)
    if "weight" not in predicted:
        offer = offer or "name one weight or importance"
        raise ConfigError(
            f"{source} has no column of weights, so nothing ranks its edges; {offer}."
        )
    if offer and weight_column is None:
        logger.info(f"{source}: {offer}")
    true = read_like(predicted, truth, "truth")
    known = None if train is None else read_like(true, train, "train")
    candidates = candidates_of_truth(true, known, tfs)
    rows = [judge(SUBMITTED, candidates, look_up(predicted, candidates, source, weights))]
    say_edges(predicted)
    say_edges(true)
    named = str(truth) if isinstance(truth, (str, Path)) else "truth"
    seen = find_seen_lists(origin, true, named)
    if known is not None:
        scores = trivial_scores(known, candidates)
        rows += [judge(name, candidates, x) for name, x in scores.items()]
        return Evaluation(rows, None, seen)
    positives = true[true["label"] == 1] if "label" in true else true
    beeline = {
        "all_edges": early_precision(predicted, positives),
        "tf_edges": early_precision(predicted, positives, tf_edges=True),
        "areas_over_all_pairs": areas_over_all_pairs(predicted, positives),
    }
    return Evaluation(rows, beeline, seen)


def find_origin(edges: RankedNetwork | pd.DataFrame | str | Path) -> dict:
    """What the method has said of a ranking: of an object, or of a file beside its run.json."""
    if isinstance(edges, RankedNetwork):
        return edges.report
    if not isinstance(edges, str | Path):
        return {}
    try:
        record = json.loads((Path(edges).parent / RESULT).read_bytes())
        found = record.get("found") if record.get("command") == "infer" else None
    except (OSError, ValueError, RecursionError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def as_table(network):
    """A network as a table or path; graphs and tuples become tables."""
    if network is None or isinstance(network, (pd.DataFrame, str, Path)):
        return network
    from grnjax.tasks.loading import frame_network  # which imports much that is not needed here

    return frame_network(network)


def read_like(like: pd.DataFrame, network: pd.DataFrame | str | Path, name: str) -> pd.DataFrame:
    """The edges of a network with names spelt as in `like` where a rewriting tells them apart."""
    frame, source = take_network(network, name)
    theirs = sorted(set(like["tf"]) | set(like["target"]))
    ours = sorted(set(frame["tf"]) | set(frame["target"]))
    match = match_names(ours, theirs)
    if (match.positions < 0).all():
        raise GeneMismatchError(
            f"{source}: none of its {len(ours):,} genes ({', '.join(ours[:5])}) is among the "
            f"{len(theirs):,} of the other network ({', '.join(theirs[:5])}). Give both the same "
            "kind of gene names."
        )
    if match.rule != "exact":
        logger.info("%s: names joined by %s spelling", source, match.rule)
    match.report(source)
    spelling = {
        name: theirs[place] if place >= 0 else name
        for name, place in zip(ours, match.positions, strict=True)
    }
    return frame.assign(tf=frame["tf"].map(spelling), target=frame["target"].map(spelling))


def say_edges(edges: pd.DataFrame) -> None:
    """Says how many edges were read, and what was dropped on the way."""
    report = edges.attrs["report"]
    dropped = ("self_loops", "duplicates", "repeated_pairs")
    counts = [f"{report[what]:,} {what.replace('_', ' ')}" for what in dropped if report[what]]
    logger.info(
        f"{report['source']}: {len(edges):,} edges of {edges['tf'].nunique():,} TFs"
        f"{'; dropped: ' if counts else ''}{', '.join(counts)}"
    )


def candidates_of_truth(
    truth: pd.DataFrame, known: pd.DataFrame | None, tfs: Iterable[str] | str | Path | None
) -> pd.DataFrame:
    """The pairs to judge: columns tf, target, label."""
    genes = sorted(set(truth["tf"]) | set(truth["target"]))
    chosen = sorted(set(truth["tf"]))
    if tfs is not None:
        names, report = np.array(genes), {}
        chosen = names[mark_tfs(list_tfs(tfs), None, names, "truth", report)]
        count, first = report["tfs_not_found"].values()
        if count:
            logger.warning(f"{count:,} TFs of the list are not in the truth: {', '.join(first)}")
    if "label" in truth:
        candidates = truth.loc[truth["tf"].isin(chosen), ["tf", "target", "label"]]
    else:
        pairs = pd.MultiIndex.from_product([chosen, genes])
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


def look_up(
    predicted: pd.DataFrame, candidates: pd.DataFrame, source: str, kind: WeightKind = "auto"
) -> np.ndarray:
    """The absolute weight of each candidate; 0, the last place, where the network has none.

    Probabilities are turned into logits: ranks stay, and swap concordance, which adds and subtracts
    scores, becomes that of the model behind them.

    Raises:
        ConfigError: they are called probabilities, and some are above 1.
    """
    weights = predicted.set_index(["tf", "target"])["weight"].abs()
    found = weights.reindex(pd.MultiIndex.from_frame(candidates[["tf", "target"]])).to_numpy()
    missing = np.isnan(found)
    turned = pd.MultiIndex.from_frame(candidates[["target", "tf"]]).isin(weights.index)
    if missing.all():
        raise GeneMismatchError(
            f"{source}: it ranks none of the {len(candidates):,} candidate pairs, and "
            f"{turned.sum():,} of them as target and TF; check that TF and target stand in the "
            "right columns and that the gene names are of one kind."
        )
    if turned.sum() > 2 * (~missing).sum():
        logger.warning(
            f"{source}: {turned.sum():,} of {len(found):,} candidates are there as target and TF, "
            f"and {(~missing).sum():,} as TF and target; do its columns stand the other way round?"
        )
    if missing.any():
        logger.warning("%s: %d of %d candidates are not ranked", source, missing.sum(), len(found))
    scores = np.where(missing, 0.0, found)
    if kind == "probabilities" and scores.max() > 1:
        raise ConfigError(
            f"{source}: weights reach {scores.max():.3g}, so they are no probabilities; give "
            "--weights scores."
        )
    is_probability = kind == "probabilities" or (kind == "auto" and scores.max() <= 1)
    return to_logits(scores) if is_probability else scores


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
