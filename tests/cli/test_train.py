"""`grnjax train` on a GENELink folder: splits, seeds, controls, choices, and both models."""

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest

from grnjax.storage.files import read_json_lines

QUICK = ["--method.training.epochs", 20]
MODEL = "scRegNet"
GT_GRN = [
    "--method=GT-GRN",
    "--method.model.transformer.layers=1",
    "--method.model.transformer.width=8",
    "--method.embeddings.networks",
    "pearson",
    "--method.embeddings.autoencoder.dim=6",
    "--method.embeddings.expression.epochs=30",
    "--method.embeddings.walks.walks-a-node=5",
    "--method.embeddings.walks.evaluate-every=20",
    "--method.embeddings.walks.model.layers=1",
]
TRIVIAL_ROWS = [
    "TF rate",
    "target rate",
    "degree product",
    "Adamic-Adar",
    "nearest TF profile",
    "additive logistic",
    "ID-only rank 4",
    "ID-only ensemble",
    "absolute Pearson",
    "co-expressed targets",
    "linear expression",
]


@pytest.fixture
def train(cli, tmp_path):
    """Runs `grnjax train` with few epochs and gives run.json, the rows and what was printed."""

    def run(folder, *flags, out="run"):
        outcome = cli("train", folder, *QUICK, *flags, "--out", tmp_path / out)
        assert outcome.status == 0, outcome.err
        record = json.loads((tmp_path / out / "run.json").read_text())
        return record, pd.DataFrame(record["metrics"]["rows"]), outcome

    return run


def row_of(rows, method, metric):
    [value] = rows.loc[rows["method"] == method, metric]
    return value


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, blind_rows",
    [
        ("standard", []),
        ("tf-disjoint", ["TF rate"]),
        ("target-disjoint", ["target rate"]),
        ("both-disjoint", ["TF rate", "target rate"]),
    ],
)
def test_a_drawn_split_leaves_the_rates_of_unseen_genes_blind(
    kind, blind_rows, train, genelink_folder
):
    record, rows, outcome = train(genelink_folder(), "--split.kind", kind)
    assert list(rows["method"]) == [*TRIVIAL_ROWS, MODEL]
    assert rows.set_index("method")["auroc"].between(0.05, 0.999).all()
    for method in ("TF rate", "target rate"):
        assert (row_of(rows, method, "auroc") == 0.5) == (method in blind_rows)
    [split] = record["metrics"]["splits"]
    assert split["kind"] == kind
    for part in ("train", "validation", "test"):
        assert 0 < split[part]["positives"] < split[part]["pairs"]
    for method in [*TRIVIAL_ROWS, MODEL]:
        assert re.search(rf"^{method}  +\S+", outcome.out, re.MULTILINE)
    assert f"{MODEL} minus" in outcome.out and "One draw of the split." in outcome.out


@pytest.mark.slow
def test_published_files_leave_the_rest_to_validation(train, genelink_folder, small_set):
    folder = genelink_folder("Train", "Test", expression=False)
    record, rows, outcome = train(folder)
    [split] = record["metrics"]["splits"]
    universe = len(small_set.tfs) * (len(small_set.genes) - 1)
    assert split["kind"] == "published"
    assert sum(split[part]["pairs"] for part in ("train", "validation", "test")) == universe
    positives = sum(split[part]["positives"] for part in ("train", "validation", "test"))
    assert positives == len(small_set.truth)
    assert f"the {split['validation']['pairs']} pairs outside train and test" in outcome.err
    assert row_of(rows, MODEL, "auroc") > 0.6
    assert list(rows["method"]) == [*TRIVIAL_ROWS[:-3], MODEL]  # those that need no expression
    assert record["data"]["unmeasured"]["count"] == record["data"]["genes"]

    elsewhere = folder.parent / "splits"
    elsewhere.mkdir()
    for part in ("Train", "Test"):
        (folder / f"{part}_set.csv").rename(elsewhere / f"{part}_set.csv")
    record, moved, _ = train(folder, "--data.split", elsewhere, out="moved")
    pd.testing.assert_frame_equal(moved, rows)
    read = {name for name in record["inputs"] if name.startswith("splits")}
    assert read == {"splits/splits/Train_set.csv", "splits/splits/Test_set.csv"}


@pytest.mark.slow
def test_a_set_of_invented_names_runs_from_its_layout(train, benchmark_root, small_set, tmp_path):
    name = "Perturbed/axolotl/TFs+7"
    where = ["--data.root", benchmark_root, "--data.split", "Cave"]
    record, rows, outcome = train(name, *where, "--method.training.epochs", 8)
    ours = rows[rows["method"] == MODEL]
    assert ours["draw"].tolist() == [1, 3] and ours["auroc"].nunique() == 2
    assert list(rows.loc[rows["draw"] == 1, "method"]) == [*TRIVIAL_ROWS, MODEL]
    assert [split["kind"] for split in record["metrics"]["splits"]] == ["published"] * 2
    assert record["data"]["measured"] == len(small_set.counts)
    assert "expression of 78 of 80 genes in axolotl_120cells.csv.gz (others" in outcome.err
    assert "--split.kind and --split.draws do not apply" in outcome.err
    inputs = record["inputs"]
    [expression] = benchmark_root.rglob("axolotl_120cells.csv.gz")
    assert inputs["expression"] == digest(expression)
    assert "splits/sample3/Test_set.csv.gz" in inputs and "folder/Label.csv" in inputs

    _, _, outcome = train(name, *where, "--method.training.epochs", 8)
    assert "this run has already finished; nothing to do." in outcome.err


@pytest.mark.slow
def test_every_seed_is_fitted_on_every_draw_and_draws_are_the_sample(
    train, genelink_folder, tmp_path
):
    record, rows, outcome = train(genelink_folder(), "--seeds", 0, 7, "--split.draws", 1, 2)
    ours = rows[rows["method"] == MODEL]
    assert list(zip(ours["draw"], ours["seed"])) == [(1, 0), (1, 7), (2, 0), (2, 7)]
    assert ours["auroc"].nunique() == 4
    summary = pd.DataFrame(record["metrics"]["summary"]).set_index(["method", "metric"])
    line = summary.loc[(MODEL, "auroc")]
    by_draw = ours.groupby("draw")["auroc"].mean()
    assert line["draws"] == 2 and line["mean"] == pytest.approx(by_draw.mean())
    difference = record["metrics"]["paired_differences"]["target rate"]["auroc"]
    reference = rows[rows["method"] == "target rate"].groupby("draw")["auroc"].mean()
    assert difference["mean"] == pytest.approx((by_draw - reference).mean())
    assert difference["draws"] == 2
    assert "Mean over 2 draws of the split" in outcome.out
    fits = {f"draw{draw}-model-seed{seed}" for draw in (1, 2) for seed in (0, 7)}
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == fits
    assert {line["fit"] for line in read_json_lines(tmp_path / "run" / "metrics.jsonl")} == fits


@pytest.mark.slow
def test_controls_alter_the_inputs_they_name(train, genelink_folder, small_set, tmp_path):
    rng = np.random.default_rng(0)
    covered = small_set.genes[5:]
    vectors = rng.normal(size=(len(covered), 6)).astype(np.float32)
    np.savez(tmp_path / "table.npz", genes=covered, embedding=vectors)
    controls = ["expression-permuted", "features-random", "features-one-hot"]
    controls += ["embedding-zero", "embedding-random", "embedding-permuted"]
    record, rows, outcome = train(
        genelink_folder(), "--controls", *controls, "--data.embedding", tmp_path / "table.npz"
    )
    methods = [f"{MODEL}, {control.replace('-', ' ')}" for control in controls]
    assert list(rows["method"]) == [*TRIVIAL_ROWS, MODEL, *methods]
    figures = [row_of(rows, method, "average_precision") for method in (MODEL, *methods)]
    assert len(set(figures)) == len(figures)
    assert record["data"]["embedding"]["absent"]["count"] == 5
    assert record["inputs"]["embedding"] == digest(tmp_path / "table.npz")
    assert f"vectors of {len(covered)} of {len(small_set.genes)} genes" in outcome.err


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_the_option_that_is_best_on_validation_is_used(train, genelink_folder):
    options = ["inputs.negative-weight=0.01", "inputs.negative-weight=0.3,training.batch-size=0"]
    folder = genelink_folder()
    record, rows, outcome = train(folder, "--choose", *options)
    scores = {
        option: float(score)
        for option, score in re.findall(r"^draw 0, (.+): validation (\S+)$", outcome.err, re.M)
    }
    assert list(scores) == ["as given", *options]
    best = max(scores, key=scores.get)
    assert record["metrics"]["chosen_on_validation"] == {"0": best}
    assert len(set(scores.values())) == 3
    alone = [f"--method.{item}" for item in best.split(",")] if best != "as given" else []
    _, rows_alone, _ = train(folder, *alone, out="alone")
    pd.testing.assert_frame_equal(rows, rows_alone)


@pytest.mark.slow
def test_reference_selection_looks_at_the_test_pairs(train, genelink_folder, tmp_path):
    folder = genelink_folder()
    for flags, is_test in ((["--reference-selection"], True), ([], False)):
        out = f"test-{is_test}"
        record, rows, _ = train(folder, *flags, out=out)
        assert record["config"]["reference_selection"] is is_test
        lines = read_json_lines(tmp_path / out / "metrics.jsonl")
        selected = max(line["average_precision"] for line in lines)
        on_test = row_of(rows, MODEL, "average_precision")
        assert (selected == pytest.approx(on_test, abs=1e-4)) == is_test


@pytest.mark.slow
def test_the_published_form_cannot_rank_targets_by_tf(train, genelink_folder):
    record, rows, _ = train(
        genelink_folder("Train", "Validation", "Test"),
        "--method.model.head=additive",
        "--method.model.identity-rank=0",
        "--method.model.no-coexpression",
        "--method.model.missing=zeros",
        "--method.inputs.nodes=profile",
        "--method.inputs.messages=symmetric",
        "--method.training.batch-size=64",
        "--method.training.optimizer=rmsprop",
        "--method.training.learning-rate=0.003",
    )
    assert record["config"]["method"]["model"]["coexpression"] is False
    assert row_of(rows, MODEL, "swap_micro") == 0.5
    assert row_of(rows, MODEL, "swap_macro") == 0.5
    assert row_of(rows, MODEL, "swap_quadruples") > 20
    assert row_of(rows, MODEL, "auroc") > 0.55
    assert row_of(rows, "nearest TF profile", "swap_micro") != 0.5


@pytest.mark.slow
def test_the_record_is_complete_and_the_same_command_is_done(train, genelink_folder, tmp_path):
    folder = genelink_folder()
    record, _, _ = train(folder, "--seeds", 3)
    assert record["command"] == "train"
    config = record["config"]
    assert config["seeds"] == [3] and config["method"]["training"]["epochs"] == 20
    assert {"python", "jax", "flax", "optax", "grnjax"} <= set(record["versions"])
    assert set(record["device"]) == {"backend", "kind", "count"}
    names = ["BL--ExpressionData.csv", "Label.csv", "TF.csv", "Target.csv"]
    assert record["inputs"] == {f"folder/{name}": digest(folder / name) for name in names}
    assert {"rows", "splits", "summary", "paired_differences"} <= set(record["metrics"])
    assert record["seconds"] > 0
    assert record["data"]["unmeasured"] == {"count": 2, "first": ["G50", "TF04"]}

    before = (tmp_path / "run" / "run.json").stat().st_mtime_ns
    _, _, outcome = train(folder, "--seeds", 3)
    assert "this run has already finished; nothing to do." in outcome.err
    assert (tmp_path / "run" / "run.json").stat().st_mtime_ns == before


@pytest.fixture
def tables(small_set, tmp_path):
    """Edge tables made elsewhere, by name."""
    rng = np.random.default_rng(0)
    pairs = pd.MultiIndex.from_product([small_set.tfs, small_set.genes], names=["tf", "target"])
    inferred = pairs.to_frame(index=False).assign(importance=rng.random(len(pairs)))
    written = {
        "inferred": inferred[inferred["tf"] != inferred["target"]],
        "known": small_set.truth,
        "yeast": pd.DataFrame({"tf": ["YAL1"], "target": ["YBR2"]}),
    }
    for name, table in written.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return {name: tmp_path / f"{name}.csv" for name in written}


@pytest.mark.slow
def test_gt_grn_is_fitted_from_embeddings_that_the_run_folder_keeps(
    train, genelink_folder, tables, tmp_path
):
    folder = genelink_folder()
    given = ["--walk-on", tables["inferred"], "--drop-held-out", "--reconstruct"]
    record, rows, outcome = train(folder, *GT_GRN, *given, "--controls", "global-permuted")
    methods = ["GT-GRN", "GT-GRN, global permuted"]
    assert list(rows["method"]) == [*TRIVIAL_ROWS, *methods]
    assert row_of(rows, methods[0], "auroc") != row_of(rows, methods[1], "auroc")
    assert record["config"]["method"]["class"] == "GTGRNMethod"
    assert record["config"]["method"]["model"]["transformer"]["layers"] == 1
    assert "GT-GRN minus" in outcome.out and "GT-GRN" not in record["metrics"]["paired_differences"]

    made = record["metrics"]["gene_embeddings"]
    assert made["expression"]["genes"] == 78
    assert made["expression"]["variance_explained_held_out"] < 1
    assert made["walks"]["edges"].keys() == {"pearson", str(tables["inferred"])}
    assert 0 < made["walks"]["held_out_loss"] and 0 < made["walks"]["unigram_entropy"] < np.log(80)
    assert record["inputs"][f"networks/{tables['inferred']}"] == digest(tables["inferred"])
    kept = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert {"expression", "pearson", "walks"} < kept
    fits = {line["fit"] for line in read_json_lines(tmp_path / "run" / "metrics.jsonl")}
    assert {"expression", "walks", "draw0-model-seed0"} < fits

    among = {row["among"]: row for row in record["metrics"]["reconstruction"]}
    assert list(among) == ["all pairs", "train pairs", "pairs outside train"]
    assert among["all pairs"]["pairs"] == 8 * 79
    assert among["pairs outside train"]["pairs"] == 8 * 79 - among["train pairs"]["pairs"]
    for name in among:
        assert re.search(rf"^{name} +0\.\d+", outcome.out, re.MULTILINE)

    (tmp_path / "run" / "run.json").unlink()
    again, resumed, _ = train(folder, *GT_GRN, *given, "--controls", "global-permuted")
    pd.testing.assert_frame_equal(resumed, rows)
    assert again["metrics"]["gene_embeddings"] == made


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--method=GT-GRN", "--walk-on", "known"],
            r"known.csv holds (\d+) of the \1 held-out edges of draw 0 .* \(--drop-held-out\)",
        ),
        (
            ["--method=GT-GRN", "--walk-on", "yeast"],
            "none of its 1 edges is between two of the 80 genes of this run",
        ),
        (["--method=GT-GRN", "--walk-on", "absent.csv"], "absent.csv: cannot be read"),
        (
            ["--walk-on", "inferred", "--drop-held-out"],
            "scRegNet does not read --walk-on; leave it out, or take a method that does: GT-GRN.",
        ),
        (
            ["--method.positions.walks=3"],
            "no flag --method.positions.walks",
        ),
        (["--drop-held-out"], "--drop-held-out takes pairs out of --walk-on, and none are given"),
        (["--method=GT-GRN", "--method.embeddings.networks"], "GT-GRN has no network to walk on"),
        (["--method=GT-GRN", "--method.inputs.nodes=profile"], "no flag --method.inputs.nodes"),
        (
            ["--method=GT-GRN", "--controls", "embedding-zero"],
            "GT-GRN has no control embedding-zero; choose among expression-permuted, ",
        ),
        (["--controls", "global-permuted"], "scRegNet has no control global-permuted; choose"),
        (
            ["--method=GT-GRN", "--method.model.transformer.layer=2"],
            "no flag --method.model.transformer.layer; did you mean "
            "--method.model.transformer.layers?",
        ),
        (["--method=GT-GRN", "--method.model.encoder=GAT"], "no flag --method.model.encoder"),
    ],
)
def test_what_gt_grn_cannot_have_is_one_sentence_and_leaves_nothing(
    flags, message, cli, genelink_folder, tables, tmp_path
):
    flags = [tables.get(flag, flag) for flag in flags]
    outcome = cli("train", genelink_folder(), *flags, "--out", tmp_path / "run")
    assert outcome.status == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith("grnjax train") and re.search(message, last), last
    assert not (tmp_path / "run").exists()


def test_gt_grn_needs_expression(cli, genelink_folder, tmp_path):
    folder = genelink_folder(expression=False)
    outcome = cli("train", folder, "--method=GT-GRN", "--out", tmp_path / "run")
    assert outcome.status == 2 and "give --data.expression." in outcome.err
