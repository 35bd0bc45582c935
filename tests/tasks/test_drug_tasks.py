"""Drug response and drug class on small folders: readers, splits, means, models, bad input."""

import dataclasses
import zipfile

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from grnjax.baselines import response_rows as rows
from grnjax.data.drug_classes import ConstructionConfig, construct_pair, read_pair
from grnjax.data.drug_graphs import digest_graph, read_stored_graphs
from grnjax.data.drug_screens import join_screen, read_screen
from grnjax.data.scad_folders import find_drugs, read_scad
from grnjax.errors import ConfigError, ExpressionFormatError, SplitError
from grnjax.evaluation.response_figures import correlate, correlate_within
from grnjax.models.domain_transfer import DomainTransferConfig
from grnjax.models.drug_response import MeanResidualConfig
from grnjax.tasks.cells.drug_class import DrugClass, draw_folds
from grnjax.tasks.cells.drug_response import DrugResponse, split_pairs
from grnjax.tasks.cells.study import run_task
from grnjax.training.domain_transfer import TransferTrainingConfig
from grnjax.training.drug_response import ResponseTrainingConfig

LINES, DRUGS, GENES = 60, 8, 12


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation."""


def write_graph(path, features, neighbours):
    """As hickle writes a drug of deepchem's: lists in groups, equally long ones as one table."""
    with h5py.File(path, "w") as file:
        group = file.create_group("data_0")
        group["data_0"] = features
        lists = group.create_group("data_1")
        for atom, near in enumerate(neighbours):
            if near:
                lists[f"data_{atom}"] = np.array(near)
            else:
                lists.create_group(f"data_{atom}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A screen as DeepCDR's folder has it: value = drug + line + gene effect of each drug."""
    root = tmp_path_factory.mktemp("deepcdr")
    rng = np.random.default_rng(0)
    lines = [f"ACH-{i:06d}" for i in range(LINES)]
    expression = rng.normal(size=(LINES, GENES))
    effect = rng.normal(size=(DRUGS, GENES)) * (rng.random((DRUGS, GENES)) < 0.3)
    drug, line = 2 * rng.normal(size=DRUGS), 0.5 * rng.normal(size=LINES)
    value = drug[:, None] + line + effect @ expression.T + 0.1 * rng.normal(size=(DRUGS, LINES))
    value[rng.random(value.shape) < 0.1] = np.nan
    ids = [f"GDSC:{i}" for i in range(DRUGS)]
    pd.DataFrame(value, ids, lines).to_csv(root / "GDSC_IC50.csv", na_rep="NA")
    frame = pd.DataFrame(expression, lines, [f"G{i}" for i in range(GENES)])
    frame.to_csv(root / "expression.csv")
    listed = ["drug_id,Name,PubCHEM", *(f"{i},drug{i},{100 + i}" for i in range(DRUGS - 1))]
    listed.append(f"{DRUGS - 1},drug{DRUGS - 1},none")  # has no PubChem id
    (root / "1.Drug_listMon_Jun_24_09_00_55_2019.csv").write_text("\n".join(listed))
    types = [f"{name}\tcell {i}\tT{i % 6}" for i, name in enumerate(lines)]
    (root / "cancer_cell_line.info").write_text("\n".join(types))
    with zipfile.ZipFile(root / "drug_graph_feat.zip", "w") as archive:
        for i in range(DRUGS):
            path = root / f"{100 + i}.hkl"
            features = (rng.random((4, 75)) < 0.2).astype(float)
            write_graph(path, features, [[1], [0, 2], [1], []])
            archive.write(path, f"drug_graph_feat/{path.name}")
            path.unlink()
    return root


@pytest.fixture(scope="module")
def screen(folder):
    return read_screen(folder, expression=folder / "expression.csv")


def test_a_screen_is_joined_by_name_and_says_what_it_lacks(screen, folder):
    assert len(screen.drugs) == DRUGS - 1 and len(screen.lines) == LINES
    assert screen.report["pairs"] == len(screen.value)
    assert (screen.line[:3] == 0).all() and set(screen.tissue) == {f"T{i}" for i in range(6)}
    with pytest.raises(ConfigError, match="no expression"):
        read_screen(folder)
    with pytest.raises(ConfigError, match="neither GDSC_IC50.csv"):
        read_screen(folder.parent)
    (folder / "other.csv").write_text("line,A\nnobody,1\nno one,2\n")
    with pytest.raises(ExpressionFormatError, match="none of both"):
        read_screen(folder, expression=folder / "other.csv")


def test_lines_that_hyphens_alone_tell_apart_are_left_out_and_a_drug_has_one_name(caplog):
    rows = [("KM-H2", "Torin 2", 1.0), ("KMH-2", "torin2", 2.0), ("nci-h23", "torin2", 3.0)]
    values = pd.DataFrame([*rows, ("NCIH3", "other", 4.0)], columns=["line", "drug", "value"])
    names, vectors = ["KMH2", "NCI-H23", "NCI-H3"], np.eye(3, dtype=np.float32)
    for structured in ({"Torin 2", "other"}, {"torin2", "other"}):
        found = join_screen(
            values,
            names,
            vectors,
            tissues={},
            structured=structured,
            graphs=None,
            source="a screen",
        )
        assert found.lines.tolist() == ["NCIH23", "NCIH3"]
        assert set(found.drugs) == structured and found.value.tolist() == [3, 4]
        assert found.report["lines_unclear"] == 2
    assert "2 lines (KM-H2, KMH-2) are not told apart" in caplog.text


def test_stored_graphs_are_read_and_told_apart_but_for_the_order_of_atoms(folder):
    graphs = read_stored_graphs(folder / "drug_graph_feat.zip")
    one, other = graphs["100"], graphs["101"]
    np.testing.assert_array_equal(one.bonds, [[0, 1], [1, 0], [1, 2], [2, 1]])
    order = np.array([2, 0, 3, 1])
    moved = dataclasses.replace(
        one, features=one.features[order], bonds=np.argsort(order)[one.bonds].astype(np.int32)
    )
    assert digest_graph(moved) == digest_graph(one) != digest_graph(other)


@pytest.mark.parametrize("kind", ["mixed", "lines out", "drugs out", "both out", "tissues out"])
def test_splits_hold_out_what_they_say(screen, kind):
    split = split_pairs(screen, kind, 0.2, seed=1)
    parts = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(parts)) == len(parts)
    learned = np.concatenate([split.train, split.validation])
    held = {"line": screen.line, "drug": screen.drug, "tissue": screen.tissue[screen.line]}
    apart = {"lines out": ["line"], "drugs out": ["drug"], "both out": ["line", "drug"]}
    for name in apart.get(kind, ["tissue"] if kind == "tissues out" else []):
        assert not np.isin(held[name][split.test], held[name][learned]).any()
        assert not np.isin(held[name][split.validation], held[name][split.train]).any()
    assert kind == "both out" or len(parts) == len(screen.value)


def test_unknown_tissues_cannot_be_held_out(screen):
    bare = dataclasses.replace(screen, tissue=np.full(LINES, ""))
    with pytest.raises(SplitError, match="tissues of 0 of 60"):
        split_pairs(bare, "tissues out", 0.1, seed=0)


def test_means_ridge_and_the_nearest_line_know_what_they_can(screen):
    drugs = np.array([g.features.mean(axis=0) for g in screen.graphs])
    split = split_pairs(screen, "mixed", 0.2, seed=0)
    known = rows.KnownResponses(
        *(x[split.train] for x in (screen.line, screen.drug, screen.value)), screen.vectors, drugs
    )
    at, true = (screen.line[split.test], screen.drug[split.test]), screen.value[split.test]

    def within(predict):
        return correlate_within(at[1], predict(known, *at), true, least=5).mean()

    assert within(rows.predict_drug_mean) == 0
    assert 0 < within(rows.predict_both_means) < within(rows.predict_ridge)
    assert within(rows.predict_ridge) > 0.9
    assert correlate(rows.predict_drug_mean(known, *at), true) > 0.5
    copy = dataclasses.replace(known, vectors=screen.vectors.copy())
    copy.vectors[at[0][0]] = copy.vectors[(at[0][0] + 1) % LINES] * 1.001
    found = rows.predict_nearest_line(copy, at[0][:1], at[1][:1])
    twin = (known.line == (at[0][0] + 1) % LINES) & (known.drug == at[1][0])
    assert not twin.any() or found[0] == pytest.approx(known.value[twin][0])


def test_trees_do_not_learn_from_a_mean_that_no_asked_pair_has(screen):
    drugs = np.array([g.features.mean(axis=0) for g in screen.graphs])
    for kind, means in (("mixed", 2), ("lines out", 1), ("drugs out", 1), ("both out", 0)):
        split = split_pairs(screen, kind, 0.2, seed=0)
        known = rows.KnownResponses(
            *(x[split.train] for x in (screen.line, screen.drug, screen.value)),
            screen.vectors,
            drugs,
        )
        x, asked = rows.join_features(known, screen.line[split.test], screen.drug[split.test])
        assert x.shape[1] == asked.shape[1] == GENES + drugs.shape[1] + means
        assert (len(x), len(asked)) == (len(split.train), len(split.test))


def test_means_and_ridge_alone_need_no_drug_graph(folder):
    (stored,) = folder.glob("*.zip")
    stored = stored.rename(folder / "elsewhere")
    how = {"expression": folder / "expression.csv", "test_share": 0.2}
    task = DrugResponse(seeds=(0,), splits=("mixed",), models=(), trees=False, **how)
    try:
        found = run_task(task, str(folder))
    finally:
        stored.rename(folder / "drug_graph_feat.zip")
    assert found.report["without_structure"] == 0 and found.report["drugs"] == DRUGS - 1
    assert found.table.set_index("method").loc["ridge", "within_drug"] > 0.8


@pytest.mark.slow
def test_the_response_task_fits_and_a_seen_line_is_told_from_a_shuffled_one(folder):
    task = DrugResponse(
        seeds=(0,),
        splits=("lines out",),
        test_share=0.2,
        expression=folder / "expression.csv",
        vectors="expression",
        trees=False,
        models=("mean residual",),
        controls=("shuffled lines",),
        training=ResponseTrainingConfig(
            model=MeanResidualConfig(width=8, hidden=16, drug_widths=(), dropout=0.0),
            epochs=60,
            batch_size=128,
            learning_rate=0.01,
            patience=60,
        ),
    )
    table = run_task(task, str(folder)).table.set_index("method")
    within = table["within_drug"]
    assert within["drug mean"] == 0 and within["drug mean + line mean"] == 0
    assert within["ridge"] > 0.8
    assert within["mean residual"] > 0.6 > within["mean residual, shuffled lines"] + 0.2


@pytest.mark.slow
def test_a_pair_of_files_is_read_and_one_class_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"G{i}" for i in range(15)]

    def write(name, response, order):
        obs = pd.DataFrame({"response": response}, [f"r{i}" for i in range(len(response))])
        values = rng.poisson(3, (len(response), 15)).astype(np.float32)
        var = pd.DataFrame(index=[names[i] for i in order])
        anndata.AnnData(values, obs=obs, var=var).write_h5ad(tmp_path / name)

    write("bulk.h5ad", ["S", "R"] * 3, range(15))
    write("cells.h5ad", ["sensitive", "resistant", "R"], range(14, -1, -1))
    pair = read_pair(tmp_path)
    assert pair.labels.tolist() == [1, 0] * 3 and pair.cell_labels.tolist() == [1, 0, 0]
    write("cells.h5ad", ["R"] * 3, range(15))
    with pytest.raises(ExpressionFormatError, match="all 3 rows are of one class"):
        read_pair(tmp_path)


@pytest.fixture
def scad(tmp_path):
    """SCAD's folder of a drug: tables, and two folds of each domain."""
    rng = np.random.default_rng(0)
    genes, home = [f"G{i}" for i in range(15)], tmp_path / "Sorafenib"
    samples, cells = [str(900000 + i) for i in range(12)], [f"cell{i}" for i in range(10)]
    for domain, names, columns in (("Source", samples, genes), ("Target", cells, genes[::-1])):
        count = len(names)
        table = pd.DataFrame(rng.normal(size=(count, 15)), names, genes)[columns]
        label = pd.Series(np.arange(count) % 2, names, name="response")
        whole = table.copy()
        whole.insert(0, "response", label)
        if domain == "Source":
            whole.insert(1, "logIC50", 0.5)
        for split in (1, 2):
            folder = home / "stratified" / f"{domain.lower()}_5_folds" / f"split{split}"
            folder.mkdir(parents=True)
            held = np.arange(count) // 2 % 2 == split - 1
            parts = {"train": ~held, "val" if domain == "Source" else "test": held}
            for part, chosen in parts.items():
                end = f"{part}_{domain.lower()}.tsv"
                table[chosen][::-1].to_csv(folder / f"X_{end}", sep="\t")
                label[chosen].to_csv(folder / f"Y_{end}", sep="\t")
        kind = "exprs" if domain == "Source" else "expr"
        whole.to_csv(home / f"{domain}_{kind}_resp_z.Sorafenib.tsv", sep="\t")
        whole.iloc[:, :9].to_csv(home / f"{domain}_{kind}_resp_z.Sorafenib_tp4k.tsv", sep="\t")
    return home


def test_scads_folder_is_read_with_its_own_folds_and_without_its_tables(scad):
    pair = read_scad(scad)
    assert pair.bulk.shape == (12, 15) and pair.cells.shape == (10, 15)
    assert pair.labels.tolist() == [0, 1] * 6 and pair.cell_labels.tolist() == [0, 1] * 5
    assert [fold.test.tolist() for fold in pair.folds] == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7]]
    assert pair.folds[0].bulk.tolist() == [2, 3, 6, 7, 10, 11]
    assert [len(fold.test) for fold in draw_folds(pair, 5, seed=3)] == [6, 4]
    assert find_drugs(scad) == find_drugs(scad.parent) == [scad]

    for path in scad.glob("*.tsv"):
        path.unlink()
    again = read_scad(scad)
    assert (again.labels.sum(), again.cell_labels.sum()) == (6, 5)
    order = again.folds[0].test, pair.folds[0].test
    np.testing.assert_allclose(again.cells[order[0]], pair.cells[order[1]], rtol=1e-6)


def test_a_folder_of_scad_that_does_not_fit_is_one_sentence(scad):
    test = scad / "stratified/target_5_folds/split2/Y_test_target.tsv"
    told = test.read_text()
    test.write_text(told.replace("cell2", "nobody"))
    with pytest.raises(ExpressionFormatError, match="1 of 4 rows are not in .* nobody"):
        read_scad(scad)
    test.write_text(told)
    (scad / "stratified/target_5_folds/split1/Y_test_target.tsv").unlink()
    with pytest.raises(ExpressionFormatError, match="split1: no Y_test_target.tsv"):
        read_scad(scad)
    whole = scad / "Target_expr_resp_z.Sorafenib.tsv"
    whole.write_text(whole.read_text().replace("cell2", "cell3"))
    with pytest.raises(ExpressionFormatError, match="1 of 10 rows of target repeat a name"):
        read_scad(scad)


@pytest.fixture(scope="module")
def pair(screen):
    """Constructed cells of a drug whose class hangs on two genes."""
    value = np.where(screen.vectors[:, 0] + screen.vectors[:, 1] > 0, 1.0, -1.0)
    wide = np.random.default_rng(1).normal(size=(LINES, 60)).astype(np.float32)
    wide[:, :6] = 2 * value[:, None] + 0.3 * wide[:, :6]
    one = dataclasses.replace(
        screen,
        vectors=wide,
        drugs=np.array(["X"]),
        line=np.arange(LINES),
        drug=np.zeros(LINES, int),
        value=value.astype(np.float32),
    )
    config = ConstructionConfig(lines=12, cells_a_line=6, genes=50)
    return construct_pair(one, "x", {"X": 0.0}, config, seed=0), one, config


def test_constructed_cells_are_of_lines_that_bulk_has_not(pair):
    made, one, config = pair
    assert len(made.bulk) == LINES - 12 and len(made.cells) == 72
    assert len(np.unique(made.line)) == 12 and made.cells.shape[1] == made.bulk.shape[1] == 50
    again = construct_pair(one, "X", {"X": 0.0}, config, seed=0)
    assert again.cells.tobytes() == made.cells.tobytes()
    with pytest.raises(ConfigError, match="absent is not in the screen"):
        construct_pair(one, "absent", {"X": 0.0}, config, seed=0)
    with pytest.raises(ConfigError, match="too few of one class"):
        construct_pair(one, "X", {"X": -5.0}, config, seed=0)


@pytest.mark.slow
def test_the_transfer_finds_a_planted_class_above_the_band_of_chance(pair, monkeypatch):
    made, _, _ = pair
    task = DrugClass(
        seeds=(0,),
        folds=2,
        training=TransferTrainingConfig(
            model=DomainTransferConfig(hidden=16, width=8, dropout=0.0),
            domain_weight=0.1,
            epochs=80,
            batch_size=16,
            learning_rate=0.02,
        ),
    )
    monkeypatch.setattr(DrugClass, "read", lambda *_: ({0: [made]}, {}))
    table = run_task(task, "any").table.groupby("method")[["auroc", "auroc_high"]].mean()
    assert table.loc["class share", "auroc"] == 0.5
    assert table.loc["transfer", "auroc"] > 0.8
    assert table.loc["logistic on bulk", "auroc"] > 0.8
    assert table.loc["class share", "auroc_high"] == 0.5
    above = table["auroc"] > table["auroc_high"]
    assert above["logistic on bulk"] and above["transfer"]
