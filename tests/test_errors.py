"""Every mistake of a user's gets one clear sentence, exit status 2, and leaves nothing behind."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

SCREGNET = ("--method=scRegNet",)
SENTENCE_END = re.compile(r"[.?!](?= [A-Z-])")


@pytest.fixture
def refuse(cli, tmp_path):
    """Runs a command that must fail, and gives its one line of complaint."""

    def run(*args, out=None):
        given = out is not None
        out = out or tmp_path / "run"
        before = sorted(tmp_path.rglob("*"))
        outcome = cli(*args, "--out", out)
        assert outcome.status == 2, outcome
        assert "Traceback" not in outcome.err
        *log, complaint = outcome.err.splitlines()
        assert complaint.startswith("grnjax ")
        assert not any(line.startswith("grnjax ") for line in log)
        assert len(SENTENCE_END.findall(complaint)) <= 1, "more than two sentences"
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        assert given or not out.exists()
        return complaint

    return run


@pytest.fixture
def infer(refuse, small_set, tmp_path):
    """`infer` on the small set with one file replaced: its complaint."""
    files = {
        "expression": small_set.folder / "expression.csv",
        "network": small_set.folder / "network.csv",
        "tfs": small_set.folder / "tfs.txt",
    }

    def run(*extra, out=None, **replaced):
        files.update(replaced)
        used = [files["expression"], "--network", files["network"], "--tfs", files["tfs"]]
        return refuse("infer", *used, *extra, out=out)

    return run


@pytest.fixture
def write(tmp_path):
    """Writes a table or bytes under a name and gives the path."""

    def run(content, name):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.to_csv(path, index=not name.startswith("network"))
        return path

    return run


def expect(complaint, *parts):
    for part in parts:
        assert str(part) in complaint, complaint


# Expression


def test_genes_on_both_axes(infer, small_set, write):
    square = small_set.counts.iloc[:70, :70].set_axis(small_set.counts.index[:70], axis=1)
    path = write(square, "square.csv")
    complaint = infer(expression=path)
    expect(complaint, path, "orientation is unclear", "--data.orientation=genes-by-cells")
    assert re.search(r"\d+ row names and \d+ column names", complaint)


def test_ensembl_ids_against_symbols(infer, small_set, write):
    ids = [f"ENSG{i:011d}" for i in range(len(small_set.counts))]
    path = write(small_set.counts.set_axis(ids), "ensembl.csv")
    complaint = infer(expression=path)
    expect(complaint, path, "Ensembl ids", "symbols", "0 are among the 78 rows")
    expect(complaint, "--data.gene-names")


@pytest.mark.parametrize(
    "value, words, next_step",
    [
        ("nan", "1 of 9,360 values are missing (NaN)", "Remove or fill them"),
        (np.inf, "1 of 9,360 values are infinite", "Remove them"),
        (-1.5, "1 of 9,360 values are negative", "--data.scaled"),
    ],
)
def test_a_value_that_is_no_expression(value, words, next_step, infer, small_set, write):
    counts = small_set.counts.astype(object)
    counts.loc["G31", "cell7"] = value
    path = write(counts, "expression.csv")
    expect(infer(expression=path), path, words, "gene G31 in cell cell7", next_step)


@pytest.mark.parametrize("role", ["expression", "network", "tfs"])
def test_an_empty_file(role, infer, write):
    path = write(b"", f"{role}.csv")
    expect(infer(**{role: path}), path, "the file is empty")


@pytest.mark.parametrize("role", ["expression", "network", "tfs"])
def test_a_missing_file(role, infer, tmp_path):
    path = tmp_path / "absent.csv"
    expect(infer(**{role: path}), path, "No such file")


@pytest.mark.parametrize("role", ["expression", "network"])
def test_a_truncated_gzip(role, infer, small_set, write):
    whole = gzip.compress((small_set.folder / f"{role}.csv").read_bytes())
    path = write(whole[: len(whole) // 2], f"{role}.csv.gz")
    expect(infer(**{role: path}), path, "truncated")


@pytest.mark.parametrize("role", ["expression", "network"])
@pytest.mark.parametrize("content", [b"no HDF5", b""])
def test_a_file_that_is_no_h5ad(content, role, infer, write):
    path = write(content, f"{role}.h5ad")
    expect(infer(**{role: path}), path, "not a readable .h5ad file")


# Networks and TF lists


def test_no_tf_of_the_list_is_there(infer, write):
    path = write(b"SOX2\nPOU5F1\nNANOG\n", "other.txt")
    complaint = infer(tfs=path)
    expect(complaint, "none of the 3 TFs", "SOX2, POU5F1, NANOG", "Give a TF list")


def test_labels_other_than_0_and_1(infer, small_set, write):
    edges = small_set.known.assign(label=1)
    edges.iloc[3, 2] = 2
    path = write(edges, "network.csv")
    count = f"1 of {len(edges)} are not"
    expect(infer(network=path), path, "labels must be 0 or 1", count, "'2' in row 4")


def test_conflicting_labels(infer, small_set, write):
    edges = small_set.known.assign(label=1)
    path = write(pd.concat([edges, edges.iloc[:2].assign(label=0)]), "network.csv")
    shown = " -> ".join(small_set.known.iloc[0])
    expect(infer(network=path), path, "2 pairs are labelled both 0 and 1", shown, "Keep one label")


def test_too_few_known_edges(infer, small_set, write):
    path = write(small_set.known.iloc[:8], "network.csv")
    expect(infer("--folds", 3, network=path), "8 known edges in 3 folds", "needs 8", "add known")


def test_no_known_regulation(refuse, small_set):
    path = small_set.folder / "expression.csv"
    complaint = refuse("infer", path, "--method=kernel-factor")
    expect(
        complaint, "kernel-factor learns from known regulation: give --network EDGES", "grnboost2"
    )
    complaint = refuse("infer", path, "--tfs", small_set.folder / "tfs.txt")
    expect(complaint, "no list of human", "too few to rank by them", "--network=EDGES", "grnboost2")


def test_a_network_without_expression(refuse, small_set):
    complaint = refuse("infer", "--network", small_set.folder / "network.csv")
    expect(complaint, "need an expression file", "grnjax infer EXPRESSION --network EDGES")


# Splits


def test_no_positives_in_validation(refuse, genelink_folder):
    folder = genelink_folder("Train", "Test", "Validation")
    path = folder / "Validation_set.csv"
    table = pd.read_csv(path, index_col=0)
    table[table["Label"] == 0].to_csv(path)
    negatives = (table["Label"] == 0).sum()
    expect(refuse("train", folder), folder, "no positives in validation", f"{negatives} pairs")


def test_a_draw_without_positives_in_validation(refuse, genelink_folder):
    folder = genelink_folder()
    edges = pd.read_csv(folder / "Label.csv", index_col=0)
    edges.groupby("TF").head(2).to_csv(folder / "Label.csv")
    expect(refuse("train", folder), "No positives in validation", "another draw")


def test_a_pair_in_two_parts(refuse, genelink_folder):
    folder = genelink_folder("Train", "Validation", "Test")
    parts = (folder / f"{part}_set.csv" for part in ("Train", "Validation"))
    train, validation = (pd.read_csv(path, index_col=0) for path in parts)
    pd.concat([validation, train.iloc[:3]]).to_csv(folder / "Validation_set.csv")
    expect(refuse("train", folder), folder, "3 pairs are in train and in validation")


def test_a_split_of_another_network(refuse, genelink_folder):
    folder = genelink_folder("Train", "Test")
    path = folder / "Test_set.csv"
    table = pd.read_csv(path, index_col=0)
    table.assign(Label=1 - table["Label"]).to_csv(path)
    expect(refuse("train", folder), path, "belongs to another network")


def test_a_missing_folder(refuse, tmp_path, monkeypatch):
    monkeypatch.delenv("GRNJAX_DATA", raising=False)
    expect(refuse("train", tmp_path / "absent"), tmp_path / "absent", "no such folder")
    complaint = refuse("train", tmp_path / "absent", "--data.root", tmp_path)
    expect(complaint, tmp_path, "a root holds beeline_labels/")


def test_a_set_or_a_split_that_the_root_lacks(refuse, benchmark_root):
    root = ["--data.root", benchmark_root]
    complaint = refuse("train", "Perturbed/axolotl/TFs+8", *root)
    expect(complaint, "no such set under", "the nearest are Perturbed/axolotl/TFs+7.")
    complaint = refuse("train", "Perturbed/axolotl/TFs+7", *root, "--data.split=cave")
    expect(complaint, "--data.split=cave", "has Cave/sample1, Cave/sample3")


def test_a_control_that_cannot_be_had(refuse, genelink_folder):
    complaint = refuse("train", genelink_folder(), "--controls", "embedding-zero")
    expect(complaint, "embedding-zero needs an embedding", "give --data.embedding")


@pytest.mark.parametrize(
    "option, words",
    [
        ("training.edge-fold=2", "did you mean --training.edge-folds?"),
        ("model.head=linear", "one of additive, bilinear, hadamard"),
    ],
)
def test_an_option_that_cannot_be_chosen(option, words, refuse, genelink_folder):
    options = ["model.head=additive", option]
    complaint = refuse("train", genelink_folder(), "--choose", *options)
    expect(complaint, "--choose", words)


# Settings


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--method.trainig.steps=3"], "did you mean --method.training.steps?"),
        (["--network-file", "x"], "no flag --network-file"),
        ([*SCREGNET, "--method.model.dropout=2"], "model.dropout must be in [0, 1), got 2.0"),
        ([*SCREGNET, "--method.model.dropout=high"], "dropout cannot be 'high': it takes a number"),
        ([*SCREGNET, "--method.model.head=linear"], "one of additive, bilinear, hadamard"),
        (["--method.training.evaluate-every=0"], "evaluate_every must be at least 1, got 0"),
        ([*SCREGNET, "--method.training.batch-size=-3"], "batch_size must be at least 0, got -3"),
        (["--method.training.learning-rate=0"], "learning_rate must be above 0"),
        ([*SCREGNET, "--method.model.mlp-widths=0"], "model.mlp_widths must be at least 1, got 0"),
        (
            [*SCREGNET, "--method.model.identity-rank=-1"],
            "identity_rank must be at least 0",
        ),
        (["--embedded.seed", 3], "drop them or the expression file"),
        (["--folds", 1], "folds must be at least 2, got 1"),
        (["--folds", 1000], "1000 folds for"),
        (["--repeats", 0], "repeats must be at least 1, got 0"),
        (["--prevalence", 1.5], "prevalence must be in (0, 1), got 1.5"),
        (["--seed", -1], "a seed cannot be negative"),
        (["--seed", "one"], "--seed cannot be 'one': it takes a whole number"),
        ([*SCREGNET, "--most-train-pairs", 10], "raise --most-train-pairs"),
        (["--most-train-pairs", 10], "--most-train-pairs is no setting of kernel-factor; leave it"),
        (["--method.training.epochs=3"], "grnjax infer has no flag --method.training.epochs; did"),
        ([*SCREGNET, "--explain"], "--explain is no setting of scRegNet; leave it out"),
        ([*SCREGNET, "--method.most-genes=9"], "grnjax infer has no flag --method.most-genes"),
        (["--method=genie"], "takes one of kernel-factor, scRegNet, GT-GRN, GENELink, GNNLink,"),
        (["--evidence", "motifs=absent.csv"], "no such file: absent.csv"),
        (["--evidence", "motif=absent.csv"], "did you mean motifs?"),
        (["--data.split", "folder"], "drop --data.expression, --data.root and --data.split"),
        (["--data.root", "folder"], "drop --data.expression, --data.root and --data.split"),
        (["--data.embedding", "absent.npz"], "absent.npz: not a readable .npz file"),
        (["--data.gene-names", "absent.csv"], "absent.csv: cannot be read"),
        (["--data.scaled", "--data.normalise=always"], "contradict each other"),
        (["second.csv"], "has no use for 'second.csv'"),
    ],
)
def test_a_setting_that_cannot_be(flags, words, infer):
    expect(infer(*flags), words)


def test_an_unknown_command(cli):
    outcome = cli("inferr")
    assert outcome.status == 2
    assert outcome.err == "grnjax has no command inferr; did you mean infer?\n"


def test_train_and_evaluate_name_what_they_lack(cli, genelink_folder, small_set):
    for args, lacking in (
        (["train", "--out", "run"], "grnjax train needs FOLDER"),
        (["train", genelink_folder()], "grnjax train needs --out"),
        (["evaluate", small_set.folder / "network.csv"], "grnjax evaluate needs --truth"),
    ):
        outcome = cli(*args)
        assert outcome.status == 2
        assert outcome.err.startswith(lacking) and outcome.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["--seeds", "--split.draws"])
@pytest.mark.parametrize(
    "values, words",
    [([], "cannot be empty"), ([0, 0], "cannot be '0 0'"), ([-1], "must be at least 0, got -1")],
)
def test_seeds_are_different_whole_numbers(values, words, flag, refuse, genelink_folder):
    expect(refuse("train", genelink_folder(), flag, *values), f"{flag.strip('-')} {words}")


# Run folders


@pytest.mark.slow
def test_out_is_a_file(infer, write):
    path = write(b"mine", "notes.txt")
    expect(infer(out=path), path, "is a file", "choose another --out")
    assert path.read_bytes() == b"mine"


def test_out_lies_below_a_file(infer, write):
    path = write(b"mine", "notes.txt")
    expect(infer(out=path / "run"), path / "run", "Not a directory")


def test_out_is_a_folder_of_something_else(infer, tmp_path, write):
    folder = tmp_path / "thesis"
    folder.mkdir()
    write(b"mine", "thesis/chapter.txt")
    expect(infer(out=folder), folder, "not a run of grnjax", "choose another --out")


def test_a_mistake_found_late_leaves_an_empty_folder_empty(infer, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    expect(infer("--folds", 1000, out=folder), "1000 folds")
