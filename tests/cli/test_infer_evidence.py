"""`grnjax infer --evidence`: evidence is read, weighed, and told of edge by edge."""

import json

import numpy as np
import pandas as pd
import pytest

from grnjax.methods.kernel_factor.explanation import FIXED
from grnjax.tasks import judging

GENE_BLOCKS = (
    "expression profile",
    "expression statistics",
    "motifs promoter",
    "interactions string",
    "network other",
    "coverage",
)
PAIR_FEATURES = (
    *(f"co-expression: {name}" for name in ("r", "|r|", "joint", "|joint|")),
    "motifs promoter: own motif",
    "interactions string: edge",
)
UNSCANNED = ("G41", "G42")


@pytest.fixture(scope="module")
def tables(small_set):
    """Motif hits that go with true edges, links of genes, a network of other TFs; by file name."""
    rng = np.random.default_rng(0)
    genes = [gene for gene in small_set.genes if gene not in UNSCANNED]
    truth = pd.crosstab(small_set.truth["target"], small_set.truth["tf"])
    truth = truth.reindex(index=genes, columns=small_set.tfs, fill_value=0)
    hits = (truth + rng.normal(0, 0.8, truth.shape) > 0.5).astype(int)
    links = pd.DataFrame(rng.choice(small_set.genes, (300, 2)), columns=["gene1", "gene2"])
    links["weight"] = rng.random(300).round(3)
    links = links[links["gene1"] < links["gene2"]].drop_duplicates(["gene1", "gene2"])
    tf = np.repeat(["Y0", "Y1", "Y2", "Y3"], 20)
    targets = [rng.choice(small_set.genes, 20, replace=False) for _ in range(4)]
    return {
        "motifs_promoter.csv": hits.rename_axis("gene").reset_index(),
        "interactions_string.csv": links,
        "network_other.csv": pd.DataFrame({"tf": tf, "target": np.concatenate(targets)}),
    }


@pytest.fixture(scope="module")
def infer(cli, small_set, quick_factors, tmp_path_factory):
    """Runs `infer --explain` with tables as evidence; gives the run folder and the outcome."""

    def run(tables, *options):
        folder = tmp_path_factory.mktemp("evidence")
        (folder / "tables").mkdir()
        for name, table in tables.items():
            table.to_csv(folder / "tables" / name, index=False)
        settings = ["--repeats", 1, "--folds", 2, "--explain", *quick_factors, *options]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judging, "MOST_TRIVIAL_CANDIDATES", 0)
            where = ["--evidence", folder / "tables", "--out", folder / "run"]
            outcome = cli("infer", *small_set.arguments, *settings, *where)
        return folder / "run", outcome

    return run


@pytest.fixture(scope="module")
def folder(infer, tables):
    folder, outcome = infer(tables)
    assert outcome.status == 0, outcome.err
    return folder


@pytest.fixture(scope="module")
def edges(folder):
    return pd.read_csv(folder / "edges.tsv", sep="\t")


@pytest.fixture(scope="module")
def record(folder):
    return json.loads((folder / "run.json").read_text())


def read_terms(edges):
    """The terms of the logits, by name."""
    terms = edges[[column for column in edges if column.startswith("logit: ")]]
    return terms.rename(columns=lambda column: column.removeprefix("logit: "))


def test_there_is_a_column_a_term_and_they_add_up_to_the_logit(edges):
    terms = read_terms(edges)
    assert set(FIXED + GENE_BLOCKS + PAIR_FEATURES) <= set(terms)
    others = set(terms) - set(FIXED + GENE_BLOCKS + PAIR_FEATURES)
    kinds = "similar TFs: ", "nearest genes: "
    assert all(name.startswith(kinds) for name in others) and others
    np.testing.assert_allclose(terms.sum(axis=1), edges["logit"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(edges["importance"], 1 / (1 + np.exp(-edges["logit"])), rtol=1e-5)


def test_a_tf_without_known_targets_is_scored_by_evidence_alone(edges, small_set):
    terms = read_terms(edges)
    is_silent = edges["TF"] == small_set.silent_tf
    for name in ("TF bias", "identity"):
        assert not terms.loc[is_silent, name].any() and terms.loc[~is_silent, name].any()
    assert set(edges.loc[is_silent, "unseen"]) == {"TF", "both"}
    assert terms.loc[is_silent, "motifs promoter: own motif"].nunique() > 1


def test_the_record_tells_of_every_source_and_of_its_worth(record, folder, small_set):
    assert record["method"] == "kernel-factor"
    kinds = {name: report["kind"] for name, report in record["evidence"].items()}
    assert kinds == {
        "expression": "expression",
        "motifs promoter": "motifs",
        "interactions string": "interactions",
        "network other": "network",
    }
    motifs = record["evidence"]["motifs promoter"]
    assert motifs["found"] == len(small_set.counts.index) - len(UNSCANNED)
    assert motifs["absent"] == {"count": 2, "first": list(UNSCANNED)}
    assert motifs["source"].endswith("tables/motifs_promoter.csv")
    assert {"blocks: motifs promoter", "blocks: network other"} <= set(record["inputs"])
    rows = {row["name"]: row for row in record["blocks"]}
    assert set(GENE_BLOCKS + PAIR_FEATURES) <= set(rows)
    assert sum(rows[name]["weight"] for name in GENE_BLOCKS) == pytest.approx(1, abs=1e-5)
    drops = [row["drop_average_precision"] for row in record["blocks"]]
    assert drops == sorted(drops, reverse=True)
    labelled = set(small_set.known["tf"]) & set(small_set.counts.index)
    assert {row["tf"] for row in record["label_overlap"]} == labelled


@pytest.mark.slow
def test_the_order_of_rows_and_columns_in_a_source_never_reaches_the_ranking(infer, tables, folder):
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    motifs = shuffled["motifs_promoter.csv"]
    shuffled["motifs_promoter.csv"] = motifs.sample(frac=1, axis=1, random_state=2)
    again, outcome = infer(shuffled)
    assert outcome.status == 0, outcome.err
    assert (again / "edges.tsv").read_bytes() == (folder / "edges.tsv").read_bytes()


@pytest.mark.slow
def test_a_copy_of_the_known_network_is_used_where_it_is_allowed(infer, tables, small_set):
    copy = small_set.known.assign(tf="X" + small_set.known["tf"])
    with_copy = {**tables, "network_copy.csv": copy}
    del with_copy["network_other.csv"]
    folder, outcome = infer(with_copy, "--allow", "network_copy.csv")
    assert outcome.status == 0, outcome.err
    allowed = json.loads((folder / "run.json").read_text())
    [columns] = allowed["evidence"]["network copy"]["columns"].values()
    assert columns == sorted("X" + small_set.known["tf"].unique())
    assert min(row["phi"] for row in allowed["label_overlap"]) > 0.95
    worth = {row["name"]: row for row in allowed["blocks"]}
    assert worth["network copy"]["drop_average_precision"] > 0


@pytest.mark.parametrize("kind", ["network", "curated"])
def test_a_copy_of_the_known_network_leaves_nothing_behind(kind, infer, small_set):
    tf = small_set.known["tf"] if kind == "curated" else "X" + small_set.known["tf"]
    folder, outcome = infer({f"{kind}_copy.csv": small_set.known.assign(tf=tf)})
    assert outcome.status == 2 and not folder.exists()
    complaint = outcome.err.splitlines()[-1]
    assert f"{kind}_copy.csv: a copy of the network under test: of the 6 TFs" in complaint
    assert f"Leave the file out, or allow {kind}_copy.csv by name." in complaint


def test_evidence_that_the_method_does_not_read_is_refused(cli, small_set, tables, tmp_path):
    tables["motifs_promoter.csv"].to_csv(tmp_path / "motifs.csv", index=False)
    options = ["--method=scRegNet", "--evidence", f"motifs={tmp_path / 'motifs.csv'}"]
    outcome = cli("infer", *small_set.arguments, *options, "--out", tmp_path / "run")
    assert outcome.status == 2 and not (tmp_path / "run").exists()
    complaint = outcome.err.splitlines()[-1]
    assert complaint == (
        "grnjax infer: scRegNet does not read --evidence; leave it out, or take a method that "
        "does: kernel-factor."
    )
