import json

import pytest

from experiments.gt_grn.beeline import KNOWN, MEAN, MODEL, NEW, SCREGNET
from experiments.gt_grn.bulk import KERNEL_FACTOR, PERMUTED
from experiments.gt_grn.summary import ablation_summary, bulk_summary, summary_table
from experiments.gt_grn.tables import PUBLISHED_FORM, gt_grn_tables
from experiments.tables import ROOT

NO_WALKS = f"{KNOWN}, no walks"


def row(method, draw, value, seed=0, name="Specific/mDC/TFs+500", **more):
    metrics = (
        "auroc",
        "average_precision",
        "early_precision_ratio",
        "within_tf_auroc",
        "swap_micro",
    )
    return {
        "set": name,
        "split": "standard",
        "method": method,
        "draw": draw,
        "seed": seed,
        **dict.fromkeys(metrics, value),
        **more,
    }


def cell_row(embedding, features, fold, accuracy, seed=0, **more):
    return {
        "set": "pbmc68k",
        "split": "5 folds",
        "embedding": embedding,
        "features": features,
        "classifier": "logistic regression",
        "width": 64,
        "fold": fold,
        "seed": seed,
        "accuracy": accuracy,
        "macro_f1": accuracy / 2,
        **more,
    }


@pytest.fixture
def make(tmp_path):
    """Makes a table from the rows of a study."""

    def make(table, study, rows):
        (tmp_path / f"{study}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
        return gt_grn_tables(tmp_path)[table]()

    return make


def lines_of(text):
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_models_stand_below_the_trivial_rows_whatever_was_measured_first(make):
    methods = (NEW, KNOWN + MEAN, KNOWN, PUBLISHED_FORM, NO_WALKS, "pidc", "TF rate", SCREGNET)
    rows = [row(method, draw, 0.5 + 0.1 * draw) for method in methods for draw in (0, 1)]
    table = make("standard", "gt_grn_beeline", rows)
    assert table.startswith("**mDC**\n")
    _, _, *body = lines_of(table)
    assert [line.split(" | ")[0][2:] for line in body] == [
        "TF rate",
        "pidc",
        SCREGNET,
        PUBLISHED_FORM,
        KNOWN,
        KNOWN + MEAN,
        NEW,
    ]
    assert body[0].startswith("| TF rate | .550±.635 | .550±.635 |")  # t of one degree: 12.706


def test_partial_expression_has_tables_of_its_own_and_other_splits_stay_out(make):
    name = "Specific/hESC/TFs+500"
    rows = [
        row(MODEL, 0, 0.5, name=name),
        row(MODEL, 0, 0.6, name=f"{name}, measured genes"),
        row(MODEL, 0, 0.7, name="Specific/mESC/TFs+500", split="target-disjoint"),
    ]
    table = make("standard", "gt_grn_beeline", rows)
    assert "**hESC**" in table and "**hESC, measured genes**" in table and "mESC" not in table


def test_an_ablation_is_paired_by_draw_and_seed(make):
    rows = [
        row(KNOWN, 0, 0.5),
        row(KNOWN, 1, 0.7),
        row(KNOWN, 0, 0.9, seed=1),
        row(KNOWN, 2, 0.1),
        row(NO_WALKS, 0, 0.4),
        row(NO_WALKS, 1, 0.5),
    ]
    table = make("ablation, standard", "gt_grn_beeline", rows)
    assert "| mDC | no walks | -.150±.635 | -.150±.635 | -.150±.635 |" in table
    assert "mean over 2 draws" in table


def test_a_variant_that_was_not_measured_has_no_line(make):
    permuted = f"{KNOWN}, walks permuted"
    other = "Specific/mESC/TFs+500"
    rows = [
        row(KNOWN, 0, 0.5),
        row(NO_WALKS, 0, 0.6),
        row(permuted, 0, 0.3),
        row(KNOWN, 0, 0.5, name=other),
        row(NO_WALKS, 0, 0.5, name=other),
        row(PUBLISHED_FORM, 0, 0.5, name=other),
    ]
    _, _, *body = lines_of(make("ablation, standard", "gt_grn_beeline", rows))
    assert [line.split(" | ")[:2] for line in body] == [
        ["| mDC", "no walks"],
        ["| mDC", "walks permuted"],
        ["| mESC", "no walks"],
    ]
    assert "+.100 | +.100 | +.100 |" in body[0] and "-.200" in body[1]


def test_an_undefined_figure_is_a_dash(make):
    rows = [row(KNOWN, 0, 0.5, swap_micro=None), row(NO_WALKS, 0, 0.6, swap_micro=None)]
    assert "| +.100 | +.100 | - |" in make("ablation, standard", "gt_grn_beeline", rows)


def test_bulk_sets_stand_apart_by_split(make):
    rows = [
        row("pearson", 0, 0.6, name="bsubtilis"),
        row("pearson", 0, 0.7, name="bsubtilis", split="target-disjoint"),
        row(NEW, 0, 0.9, name="bsubtilis", split="reconstruction, all pairs"),
    ]
    table = make("bulk", "gt_grn_bulk", rows)
    assert "**bsubtilis, standard**" in table and "**bsubtilis, target-disjoint**" in table
    assert "reconstruction" not in table
    assert "| pearson | .600 | .600 | .60 | .600 | .600 |" in table


def test_a_reconstruction_says_whether_its_edges_were_shown(make):
    rows = [
        row(NEW, draw, 0.8 + 0.1 * draw, split="reconstruction, all pairs", scores_train_edges=True)
        for draw in (0, 1)
    ]
    rows += [
        row(NEW, draw, 0.6, split="reconstruction, pairs outside train", scores_train_edges=False)
        for draw in (0, 1)
    ]
    _, _, *body = lines_of(make("reconstruction", "gt_grn_beeline", rows))
    assert [line.split(" | ")[1:4] for line in body] == [
        ["all pairs", "yes", ".850±.635"],
        ["pairs outside train", "no", ".600±.000"],
    ]


def test_the_summary_holds_like_against_like(tmp_path):
    """One fit against one fit, a mean against an ensemble; a set without ours has no line."""
    values = {
        "ID-only rank 4": 0.5,
        "ID-only ensemble": 0.6,
        SCREGNET: 0.4,
        PUBLISHED_FORM: 0.3,
        KNOWN: 0.55,
        KNOWN + MEAN: 0.7,
        NO_WALKS: 0.5,
    }
    rows = [row(method, draw, value) for method, value in values.items() for draw in (0, 1)]
    rows.append(row("ID-only rank 4", 0, 0.5, name="Specific/hESC/TFs+500"))
    text = "".join(json.dumps(x) + "\n" for x in rows)
    (tmp_path / "gt_grn_beeline.jsonl").write_text(text)
    table = summary_table(tmp_path, "standard")
    assert "hESC" not in table and "over 2 draws" in table
    assert lines_of(table)[-1].endswith("| +.050±.000, +.100±.000 | +.050±.000, +.100±.000 |")
    changes = ablation_summary(tmp_path, "standard")
    assert "| no walks | -.050±.000 | -.050±.000 |" in changes
    assert "not yet" in summary_table(tmp_path, "target-disjoint")


def test_the_bulk_summary_gains_over_each_row_beside_it(tmp_path):
    values = {
        "grnboost2": 0.1,
        "ID-only ensemble": 0.05,
        "linear expression": 0.2,
        "co-expressed targets": 0.3,
        SCREGNET: 0.4,
        KERNEL_FACTOR: 0.5,
        NEW: 0.7,
        PERMUTED: 0.15,
    }
    rows = [
        row(method, draw, value, name="bsubtilis")
        for method, value in values.items()
        for draw in (0, 1)
    ]
    rows.append(row("grnboost2", 0, 0.5, name="ecoli"))
    (tmp_path / "gt_grn_bulk.jsonl").write_text("".join(json.dumps(x) + "\n" for x in rows))
    table = bulk_summary(tmp_path, "standard")
    assert "ecoli" not in table and "over 2 draws" in table
    gains = "+.600±.000 +.650±.000 +.500±.000 +.400±.000 +.300±.000 +.200±.000"
    assert lines_of(table)[-1].endswith(f"| .150/.150/.150/.150 | {gains} |")
    assert "not yet" in bulk_summary(tmp_path, "target-disjoint")


def test_cell_types_spread_over_folds_with_shared_features_once_and_last(make):
    rows = [cell_row("global embedding", "gene vectors", fold, 0.6 + 0.2 * fold) for fold in (0, 1)]
    for embedding in ("expression embedding", "global embedding"):
        rows.append(cell_row(embedding, "expression", 0, 0.9, width=765))
        rows += [cell_row(embedding, "principal components", fold, 0.8 * fold) for fold in (0, 1)]
    rows += [cell_row("both", "random vectors", fold, 0.5) for fold in (0, 1)]
    _, _, *body = lines_of(make("cell types", "gt_grn_pbmc", rows))
    assert body == [
        "| global embedding | .700±.141 | .350±.071 |  |  |",
        "| both, random vectors | .500±.000 | .250±.000 |  |  |",
        "| 64 principal components | .400±.566 | .200±.283 |  |  |",
        "| expression | .900 | .450 |  |  |",
    ]


def test_speed_shows_both_agreements_and_marks_a_peer_that_fits_some_targets(make):
    whole = {
        "case": "mDC",
        "unit": "s",
        "ours": 2.0,
        "peer": 30.0,
        "ratio": 15.0,
        "genes": 821,
        "peer_targets": 821,
        "ours_theirs": 0.94,
        "theirs_theirs": 0.93,
        "hardware": "2 cores",
    }
    part = {**whole, "case": "large", "genes": 2000}
    table = make("speed of inference", "bench_unsupervised", [whole, part])
    assert "| mDC | 2 s | 30 s | 15 | .940 | .930 |" in table and table.endswith("2 cores.")
    assert "| large | 2 s | 30 s* |" in table


def test_walks_and_their_model_share_a_table(make):
    rows = [
        {"case": "walk", "unit": "us", "ours": 0.05, "steps_a_second": 2e7, "hardware": "x"},
        {
            "case": "fit",
            "unit": "s",
            "ours": 50.0,
            "held_out_loss": 6.27,
            "unigram_entropy": 6.45,
            "hardware": "x",
        },
    ]
    table = make("speed of walks", "bench_walks", rows)
    assert "| walk | 0.05 us | 20.0 |  |  |" in table and "| fit | 50 s |  | 6.27 | 6.45 |" in table


@pytest.mark.parametrize("name", gt_grn_tables(ROOT))
def test_a_table_without_rows_says_how_to_measure_them(tmp_path, name):
    table = gt_grn_tables(tmp_path)[name]()
    assert "not yet" in table
    module = table.split("python -m ")[1].split("`")[0]
    assert (ROOT / f"{module.replace('.', '/')}.py").exists()
