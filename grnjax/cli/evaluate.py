"""`grnjax evaluate`: judge any program's network file against a true network."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.data.score_files import read_pairs, read_scores
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.storage.files import encode_json, lock_run, open_run, write_atomic
from grnjax.tasks.evaluation import Evaluation, WeightKind, evaluate
from grnjax.tasks.perturbation_evaluation import (
    PerturbationJudgeConfig,
    evaluate_by_perturbations,
)
from grnjax.tasks.record import digest_inputs

FILES, PAIRED = ("edges", "truth", "train", "tfs"), ("pairs", "numbers")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateCommand(Settings):
    """Judge a ranked network, of any program, against a true one.

    The candidates are the labelled pairs of the truth if it has labels 0 and 1; otherwise each TF
    of the truth with each of its genes, self pairs left out. Pairs that the network does not
    rank share the last place. Pairs of --train are left out. Where EDGES lies in a run folder of
    infer, a warning says if the ranking was made from lists that the truth is among.

    With --perturbations it is judged by what perturbed cells did, and needs no true network.
    """

    edges: Positional[Path]
    """Network: TF, target and weight in text or .parquet; SIF; a matrix; .h5ad or .zarr."""
    truth: Path | None = None
    """True network; with --pairs, by default the labels there. Or give --perturbations."""
    pairs: Path | None = None
    """Pairs that EDGES has a number for each of, in this order, as CNNC, DeepDRIM and others write
    them (.npy, or text of one column)."""
    numbers: Path | None = None
    """GENELink's Target.csv, where --pairs and --train name genes by their number in it."""
    perturbations: str | None = None
    """Cells in which single genes were perturbed, .h5ad in the form of GEARS, or dream4-N: are
    their changes predicted better by this network than by the same degrees rewired?"""
    judge: PerturbationJudgeConfig = PerturbationJudgeConfig()
    train: Path | None = None
    """Edges (or labelled pairs) the network was trained on; they make the trivial rows."""
    tfs: Path | None = None
    """TFs whose pairs are candidates; by default those of the truth."""
    weight_column: str | None = None
    """Heading of the weights in EDGES where it is not weight or importance; in an .h5ad or .zarr,
    the key of the network in .varp or .uns."""
    weights: WeightKind = "auto"
    """What the weights are: probabilities become logits for swap concordance, scores stay; auto:
    probabilities if all lie in [0, 1]."""
    out: Path | None = None
    """Folder for evaluation.json."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(EvaluateCommand, args, program="grnjax evaluate")
    if command.perturbations is not None:
        return judge_by_perturbations(command)
    edges, truth, train, kind = read_inputs(command)
    found = evaluate(
        edges,
        truth,
        train=train,
        tfs=command.tfs,
        weight_column=command.weight_column,
        weights=kind,
    )
    print(f"\n{found}")
    if found.beeline is None:
        print("\nBEELINE's own figures are left out: they know no trained pairs.")
    else:
        early = found.beeline["tf_edges"]["early_precision_ratio"]
        print(f"\nEarly precision ratio by BEELINE's rule, TF edges: {early:.3f}")
    if command.out is not None:
        write_evaluation(command, found)


def read_inputs(command: EvaluateCommand):
    """The network, the truth and the train pairs, as paths or, of numbered genes, as tables; and
    what the weights of the network are.
    """
    if command.pairs is None:
        if command.numbers is not None:
            raise ConfigError(
                "--numbers names the genes of --pairs, and there are none; give both."
            )
        if command.truth is None:
            raise ConfigError(
                "grnjax evaluate needs --truth NETWORK, labelled --pairs or --perturbations."
            )
        return command.edges, command.truth, command.train, command.weights
    pairs = read_pairs(command.pairs, command.numbers)
    edges, within_one = read_scores(command.edges, pairs, command.pairs)
    kind = command.weights
    if kind == "auto":
        kind = "probabilities" if within_one else "scores"
        logger.info(f"{command.edges}: taken for {kind}; --weights says otherwise")
    if command.truth is None and "label" not in pairs:
        raise ConfigError(
            f"{command.pairs} has no labels, so nothing tells which pairs are true: give --truth."
        )
    truth = pairs if command.truth is None else command.truth
    train = command.train
    if train is not None and command.numbers is not None:
        train = read_pairs(train, command.numbers)
    return edges, truth, train, kind


def judge_by_perturbations(command: EvaluateCommand) -> None:
    """Prints and writes how a network predicts perturbations."""
    for name in ("truth", "pairs", "numbers", "train", "tfs"):
        if getattr(command, name) is not None:
            raise ConfigError(f"--{name} does not go with --perturbations; leave one of them out.")
    found = evaluate_by_perturbations(
        command.edges,
        command.perturbations,
        command.judge,
        weight_column=command.weight_column,
    )
    print(f"\n{found}")
    if command.out is not None:
        paths = {"edges": command.edges, "perturbations": command.perturbations}
        record = {"command": "evaluate", "inputs": digest_inputs(paths)}
        record["judge"] = settings.to_json(command.judge)
        rows = found.perturbations.to_dict("records")
        write_record(command, record, {**found.summarise(), "rows": rows})


def write_evaluation(command: EvaluateCommand, found: Evaluation) -> None:
    """evaluation.json in the folder that was asked for."""
    paths = {name: getattr(command, name) for name in FILES}
    paths |= {name: path for name in PAIRED if (path := getattr(command, name)) is not None}
    record = {"command": "evaluate", "inputs": digest_inputs(paths)}
    if command.weight_column is not None:
        record["weight_column"] = command.weight_column
    if command.weights != "auto":
        record["weights"] = command.weights
    seen = {} if found.seen is None else {"seen": found.seen}
    write_record(command, record, {"rows": found.rows, "beeline": found.beeline, **seen})


def write_record(command: EvaluateCommand, record: dict, results: dict) -> None:
    """evaluation.json, written again where it is not as it was."""
    with lock_run(command.out):
        again, path = open_run(command.out, record), command.out / "evaluation.json"
        contents = encode_json({**record, **results})
        whole = path.is_file() and not path.is_symlink() and path.read_bytes() == contents
        if again and not whole:
            logger.warning("%s is not as this command writes it, and is written again", path)
        write_atomic(path, contents)
    print(f"Written to {path}")
