import pytest

from experiments.gt_grn import tables
from experiments.gt_grn.beeline import KNOWN
from experiments.shared import record
from experiments.shared.studies import MEAN, SCREGNET
from experiments.shared.tables import FOUR, load


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the rows of a study."""
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    load.cache_clear()
    yield record.write_rows
    load.cache_clear()


def row(method, draw, value, seed=0, name="Specific/mDC/TFs+500", split="standard"):
    where = {"set": name, "split": split, "method": method, "draw": draw, "seed": seed}
    return {**where, **dict.fromkeys(FOUR, value)}


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


def lines_of(table):
    return [line for line in str(table).splitlines() if line.startswith("| ")]


def test_gains_hold_like_against_like(write):
    """One fit against one fit, a mean against an ensemble."""
    values = {"ID-only rank 4": 0.5, "ID-only ensemble": 0.6, SCREGNET: 0.4, KNOWN: 0.55}
    values |= {KNOWN + MEAN: 0.7, f"{KNOWN}, no walks": 0.5}
    write("gt_grn_beeline", [row(m, draw, x) for m, x in values.items() for draw in (0, 1)])
    [*_, gains] = lines_of(tables.gains_table("standard"))
    assert gains == "| mDC | +.050±.000 | +.100±.000 | +.050±.000 | +.100±.000 |"
    changes = lines_of(tables.ablation_table("standard"))
    assert "| no walks, AP | -.050±.000 |" in changes and "| no identity, AP |  |" in changes
    [_, _, first, _] = lines_of(tables.beside_table("standard"))
    assert first == "| mDC, AP | .600±.000 | .400±.000 |  | .550±.000 | .700±.000 |"


def test_whole_networks_come_from_both_studies(write):
    write("gt_grn_beeline", [row(KNOWN, 0, 0.8, split="reconstruction, all pairs")])
    write("gt_grn_bulk", [row("new", 0, 0.6, name="ecoli", split="reconstruction, train pairs")])
    _, _, *body = lines_of(tables.reconstruction_table())
    assert body == [
        "| mDC, all pairs | .800 | .800 | .800 | .800 |",
        "| ecoli, train pairs | .600 | .600 | .600 | .600 |",
    ]


def test_cell_types_spread_over_folds_with_shared_features_once_and_last(write):
    rows = [cell_row("global embedding", "gene vectors", fold, 0.6 + 0.2 * fold) for fold in (0, 1)]
    for embedding in ("expression embedding", "global embedding"):
        rows.append(cell_row(embedding, "expression", 0, 0.9, width=765))
        rows += [cell_row(embedding, "principal components", fold, 0.8 * fold) for fold in (0, 1)]
    rows += [cell_row("both", "random vectors", fold, 0.5) for fold in (0, 1)]
    write("gt_grn_pbmc", rows)
    _, _, *body = lines_of(tables.cell_type_table("pbmc68k"))
    assert body == [
        "| global embedding | .700±.141 | .350±.071 |  |  |",
        "| both, random vectors | .500±.000 | .250±.000 |  |  |",
        "| 64 principal components | .400±.566 | .200±.283 |  |  |",
        "| expression | .900 | .450 |  |  |",
    ]
