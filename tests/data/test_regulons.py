"""Regulon tables of every program: what each becomes, and what damaged ones are told."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grnjax
from grnjax.data.edges import write_edges
from grnjax.data.h5ad_output import write_h5ad
from grnjax.data.regulon_lists import parse_targets, split_name
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulons import RegulonConfig, read_regulons
from grnjax.errors import ConfigError, EdgeFormatError

ROWS = [  # TF, region, gene, importances R2G and TF2G, rho R2G and TF2G, regulation, extended
    ("GATA1", "chr1:10-20", "KLF1", 0.5, 9.0, 0.4, 0.6, 1, False, 4),
    ("GATA1", "chr1:50-60", "KLF1", 0.9, 9.0, 0.3, 0.6, 1, False, 1),
    ("GATA1", "chr2:10-20", "GATA1", 0.2, 20.0, 0.2, 1.0, 1, False, 2),
    ("GATA1", "chr3:10-20", "SPI1", 0.1, 5.0, 0.2, -0.4, -1, False, 3),
    ("TAL1", "chr1:10-20", "KLF1", 0.3, 2.0, 0.4, 0.2, 1, True, 0),
]
CURRENT = (
    "TF Region Gene importance_R2G importance_TF2G rho_R2G rho_TF2G regulation is_extended "
    "triplet_rank".split()
)
OLDER = (
    "TF Region Gene R2G_importance TF2G_importance R2G_rho TF2G_rho TF2G_regulation is_extended "
    "vanished".split()
)
NAMES = ["GATA1_direct_+/+", "GATA1_direct_-/+", "TAL1_extended_+/+"]
REG = """,,Enrichment,Enrichment,Enrichment,Enrichment,Enrichment,Enrichment,Enrichment,Enrichment
,,AUC,NES,MotifSimilarityQvalue,OrthologousIdentity,Annotation,Context,TargetGenes,RankAtMax
TF,MotifID,,,,,,,,
GATA1,m1,0.1,3.4,0,1,"gene is annotated, directly","frozenset({'activating', 'top50'})","[('KLF1', 2.5), ('EPOR', 1.0)]",100
GATA1,m2,0.1,3.1,0,1,x,"frozenset({'weight>75.0%', 'activating'})","[('KLF1', 3.5), ('TAL1', np.float64(0.5))]",90
GATA1,m2,0.1,3.1,0,1,x,"frozenset({'repressing'})","[('SPI1', 1.5)]",90
TAL1,m3,0.1,3.1,0,1,x,"frozenset({'activating'})","[(""3'x"", 1e-3)]",90
"""  # noqa: E501
GMT = "GATA1(+)\thttp://www.x.org/GATA1\tKLF1\tEPOR\nHYPOXIA\tna\tVEGFA\tCA9\tLDHA\tVEGFA\n"


def eregulons(columns):
    table = pd.DataFrame(ROWS, columns=columns)
    if columns is CURRENT:
        signs = np.where(table["regulation"] > 0, "+/+", "-/+")
        kind = np.where(table["is_extended"], "_extended_", "_direct_")
        return table.assign(eRegulon_name=table["TF"] + kind + signs)
    return table.drop(columns="vanished")


def list_edges(regulons):
    table = regulons.edges
    return {
        (regulons.names[r], tf, target): (float(w), int(s))
        for r, tf, target, w, s in zip(
            *(table[c] for c in ("regulon", "tf", "target", "weight", "sign")), strict=True
        )
    }


@pytest.mark.parametrize("columns", [CURRENT, OLDER], ids=["current", "older"])
@pytest.mark.parametrize("form", ["tsv", "csv.gz", "parquet", "frame"])
def test_eregulons_of_both_generations_are_the_same(columns, form, tmp_path):
    table = eregulons(columns).sample(frac=1, random_state=1)
    path = tmp_path / f"eregulons.{form}"
    if form == "frame":
        path = table
    elif form == "parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, sep="\t" if form == "tsv" else ",", index=False)
    found = read_regulons(path)
    assert found.names.tolist() == NAMES and found.report["layout"] == "eregulons"
    assert found.tfs.tolist() == ["GATA1", "GATA1", "TAL1"] and found.sizes.tolist() == [2, 1, 1]
    assert list_edges(found) == {
        (NAMES[0], "GATA1", "GATA1"): (20.0, 1),
        (NAMES[0], "GATA1", "KLF1"): (9.0, 1),
        (NAMES[1], "GATA1", "SPI1"): (5.0, -1),
        (NAMES[2], "TAL1", "KLF1"): (2.0, 1),
    }
    region = found.edges["region"][1]
    best_first = "chr1:50-60;chr1:10-20" if columns is CURRENT else "chr1:10-20;chr1:50-60"
    assert region == best_first


def test_eregulons_without_regions_or_with_other_weights():
    table = eregulons(CURRENT).assign(Region="", importance_R2G=np.nan, rho_R2G=np.nan)
    found = read_regulons(table)
    assert "region" not in found.edges and found.names.tolist() == NAMES
    config = RegulonConfig(weight_column="importance_R2G")
    other = read_regulons(eregulons(CURRENT), config)
    assert list_edges(other)[NAMES[0], "GATA1", "KLF1"] == (pytest.approx(0.9), 1)
    with pytest.raises(EdgeFormatError, match="5 of 5 weights are not finite"):
        read_regulons(table, config)
    bare = eregulons(OLDER).drop(columns=["R2G_rho"])
    with pytest.raises(EdgeFormatError, match="no column eRegulon_name"):
        read_regulons(bare)


def test_motif_tables_of_pyscenic_are_joined_over_motifs(tmp_path):
    path = tmp_path / "reg.csv"
    path.write_text(REG)
    found = read_regulons(path)
    assert list_edges(found) == {
        ("GATA1(+)", "GATA1", "EPOR"): (1.0, 1),
        ("GATA1(+)", "GATA1", "KLF1"): (3.5, 1),
        ("GATA1(+)", "GATA1", "TAL1"): (0.5, 1),
        ("GATA1(-)", "GATA1", "SPI1"): (1.5, -1),
        ("TAL1(+)", "TAL1", "3'x"): (pytest.approx(1e-3), 1),
    }
    frame = pd.read_csv(path, index_col=[0, 1], header=[0, 1], skipinitialspace=True)
    assert list_edges(read_regulons(frame)) == list_edges(found)


def test_a_list_of_thousands_of_targets_is_one_field(tmp_path):
    targets = [(f"LONGGENENAME{i}", float(i)) for i in range(9000)]
    row = f'GATA1,m1,0.1,3,0,1,x,"frozenset({{\'activating\'}})","{targets}",100\n'
    (tmp_path / "reg.csv").write_text("\n".join(REG.splitlines()[:3]) + "\n" + row)
    assert read_regulons(tmp_path / "reg.csv").sizes.tolist() == [9000]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch hacked')",
        "[('A', 1.0), __import__('os')]",
        "[('A', nan)]",
        "[('A', 1e999)]",
        "[('A', x1)]",
        "[('', 1.0)]",
        "[(" * 3000,
        "[]",
        "A,B",
    ],
)
def test_what_is_no_list_of_targets_is_refused_and_never_run(text, tmp_path):
    with pytest.raises(EdgeFormatError, match="row 1: TargetGenes is no list") as error:
        parse_targets(text, "reg.csv: row 1")
    assert len(str(error.value)) < 250


def test_gmt_has_names_descriptions_and_genes(tmp_path):
    (tmp_path / "sets.txt").write_text(GMT)
    with gzip.open(tmp_path / "sets.gmt.gz", "wt") as file:
        file.write(GMT + "EMPTY\tna\n")
    expected = {
        ("GATA1(+)", "GATA1", "EPOR"): (1.0, 1),
        ("GATA1(+)", "GATA1", "KLF1"): (1.0, 1),
        ("HYPOXIA", "HYPOXIA", "CA9"): (1.0, 0),
        ("HYPOXIA", "HYPOXIA", "LDHA"): (1.0, 0),
        ("HYPOXIA", "HYPOXIA", "VEGFA"): (1.0, 0),
    }
    for name in ("sets.txt", "sets.gmt.gz"):
        found = read_regulons(tmp_path / name)
        assert list_edges(found) == expected and found.report["layout"] == "gmt"
    sets = {"GATA1(+)": ["KLF1", "EPOR"], "HYPOXIA": ["VEGFA", "CA9", "LDHA"]}
    assert list_edges(read_regulons(sets)) == expected


def test_sif_and_uneven_tables_are_no_gmt(tmp_path):
    (tmp_path / "net.sif").write_text("A activates B C D\nC represses D\nB activates A\n")
    found = read_regulons(tmp_path / "net.sif")
    assert found.names.tolist() == ["A(+)", "B(+)", "C(-)"]


def test_networks_split_by_sign_unless_told_otherwise():
    net = pd.DataFrame(
        {"source": list("AAABA"), "target": list("BCDAA"), "weight": [1, -1, 2, 1, 0.5]}
    )
    found = read_regulons(net)
    assert found.names.tolist() == ["A(+)", "A(-)", "B(+)"] and found.sizes.tolist() == [3, 1, 1]
    whole = read_regulons(net, RegulonConfig(signs="ignore"))
    assert whole.names.tolist() == ["A", "B"] and whole.sizes.tolist() == [4, 1]
    assert ("A", "A", "A") in list_edges(whole), "a TF may be its own target"
    plain = read_regulons(net.assign(weight=1.0))
    assert plain.names.tolist() == ["A", "B"]


def test_a_ranking_is_cut_and_others_are_not(tmp_path):
    rng = np.random.default_rng(0)
    pairs = [(tf, f"G{i}") for tf in ("TF1", "TF2") for i in range(200)]
    table = pd.DataFrame(pairs, columns=["TF", "target"]).assign(importance=rng.random(400))
    table = table.round({"importance": 2})  # ties at the cut
    table.to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    found = read_regulons(tmp_path / "edges.tsv")
    assert found.sizes.tolist() == [50, 50] and found.report["top"] == 50
    cut = found.edges["weight"][found.edges["regulon"] == 0].min()
    left = table[(table["TF"] == "TF1") & ~table["target"].isin(found.edges["target"])]
    assert left["importance"].max() <= cut + 1e-6
    again = read_regulons(table.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(again.edges, found.edges)
    assert read_regulons(table, RegulonConfig(top=3)).sizes.tolist() == [3, 3]
    whole = table.rename(columns={"importance": "weight"})
    assert read_regulons(whole).sizes.tolist() == [200, 200]


def test_the_network_of_an_infer_run_is_read(small_set, tmp_path):
    ranked = grnjax.infer(small_set.counts.T, method="pearson", tfs=small_set.tfs)
    write_edges(ranked.edges, tmp_path / "edges.tsv")
    write_h5ad(ranked.to_anndata(), tmp_path / "network.h5ad")
    found = read_regulons(tmp_path / "edges.tsv", RegulonConfig(top=10, signs="ignore"))
    assert set(found.sizes) == {10} and len(found.names) == 7
    same = read_regulons(tmp_path / "network.h5ad", RegulonConfig(top=10, signs="ignore"))
    pd.testing.assert_frame_equal(same.edges[["tf", "target"]], found.edges[["tf", "target"]])


@pytest.mark.parametrize(
    "name, tf, sign",
    [
        ("GATA1(+)", "GATA1", 1),
        ("GATA1_(-)", "GATA1", -1),
        ("GATA1_direct_-/+_(42g)", "GATA1", -1),
        ("GATA1_extended_+_+_(7r)", "GATA1", 1),
        ("NKX2-5", "NKX2-5", 0),
        ("GATA1 (12g)", "GATA1", 0),
    ],
)
def test_names_of_regulons_tell_tf_and_sign(name, tf, sign):
    assert split_name(name) == (tf, sign)


def test_targets_find_their_genes_by_name_and_count_once():
    edges = pd.DataFrame(
        {
            "regulon": ["R", "R", "R", "R", "Z"],
            "tf": ["T"] * 5,
            "target": ["Sox2", "KLF1", "ENSG00000000003.7", "gone", "KLF1"],
            "weight": [2.0, -3.0, 1.0, 9.0, 0.0],
        }
    )
    genes = np.array(["KLF1", "SOX2", "ENSG00000000003"])
    member, match = Regulons.of(edges).place_targets(genes)
    assert isinstance(member, sparse.csr_array)
    np.testing.assert_allclose(member.toarray(), [[3, 1e-12], [2, 0], [1, 0]])
    assert (match.positions < 0).sum() == 1
    even, _ = Regulons.of(edges.assign(weight=0.0)).place_targets(genes)
    np.testing.assert_array_equal(even.toarray(), [[1, 1], [1, 0], [1, 0]])


def test_some_of_the_regulons_keep_their_edges():
    found = read_regulons({"A": ["x", "y"], "B": ["y"], "C": ["z"]})
    kept = found.take(np.array([True, False, True]))
    assert kept.names.tolist() == ["A", "C"] and kept.edges["regulon"].tolist() == [0, 0, 1]
    assert kept.edges["target"].tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    "text, name, words",
    [
        ("TF\tGene\timportance_TF2G\n", "a.tsv", "headings and no rows"),
        ("TF\tGene\timportance_TF2G\nA\tB\n", "a.tsv", "row 1 has 2 fields where 3"),
        ("TF\tGene\timportance_TF2G\nA\t\t1\n", "a.tsv", "names are blank"),
        ("TF\tGene\timportance_TF2G\teRegulon_name\nA\tB\tx\tA_+\n", "a.tsv", "not finite"),
        ("S\tna\tA\tB\nS\tna\tC\tD\tE\n", "a.gmt", "set S stands twice"),
        ("S\n", "a.gmt", "is no set of genes"),
        ("S\tna\nT\tna\n", "a.gmt", "no regulon has a target"),
        (REG.replace(",100", ""), "a.csv", "fields where"),
        (REG.splitlines()[1], "a.csv", "headings and no targets"),
        ("source,target,label\nA,B,0\n", "a.csv", "every pair is labelled 0"),
        ("cell,g1,g2\nc1,0,2\nc2,1,1\n", "a.csv", "matrix of TFs and genes is read if"),
    ],
)
def test_damaged_tables_are_refused_in_one_sentence(text, name, words, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(EdgeFormatError, match=words) as error:
        read_regulons(tmp_path / name)
    assert "\n" not in str(error.value)


def test_settings_that_do_not_apply_are_refused(tmp_path):
    (tmp_path / "a.gmt").write_text(GMT)
    for config in (RegulonConfig(top=3), RegulonConfig(signs="ignore")):
        with pytest.raises(ConfigError, match="no use to gmt"):
            read_regulons(tmp_path / "a.gmt", config)
    with pytest.raises(EdgeFormatError, match="no table of the layout pyscenic"):
        read_regulons(tmp_path / "a.gmt", RegulonConfig(layout="pyscenic"))
    with pytest.raises(EdgeFormatError, match="regulons cannot be a int"):
        read_regulons(3)
    anndata.AnnData(np.ones((2, 2))).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(EdgeFormatError, match="no network"):
        read_regulons(tmp_path / "cells.h5ad")
