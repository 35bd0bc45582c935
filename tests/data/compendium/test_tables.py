"""Users' own lists: edge tables, ChIP-Atlas, GMT and BEELINE sets, and what is wrong with them."""

import gzip
import logging

import pytest

from grnjax.data.compendium.tables import ListsConfig, name_file, read_lists
from grnjax.errors import ConfigError, EdgeFormatError

EDGES = """TF\tcell_line\ttarget\tscore
NRSF\tH1-hESC\tG0\t5
NRSF\thESC\tG1\t1
GATA1\tK562\tG2\t7
"""
CHIP_ATLAS = """\
Target_genes\tGATA1|Average\tSRX1|K-562\tSRX2|K-562\tSRX3|HUDEP-2\tSRX4|K-562\tSTRING
G0\t900.5\t1000\t900\t0\t10\t0
G1\t100\t0\t0\t200\t90\t870
G2\t50\t0\t60\t0\t300\t0
"""
GMT = "CREB1 HepG2 hg19\tNA\tG0\tG1\nPOLR2A_IMR-90\tNA\tG2\nGATA1|K562\tna\tG1\tG3\tG4\n"


def read(tmp_path, text, name="mine.tsv", **settings):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return read_lists(path, ListsConfig(species="human", **settings))


def show(source):
    lists = source.lists
    return {
        (str(tf), str(cell)): " ".join(lists.genes[row > 0])
        for tf, cell, row in zip(lists.tfs, lists.cells, lists.labels, strict=True)
    }


@pytest.mark.parametrize("name", ["mine.tsv", "mine.tsv.gz"])
def test_edges_with_a_column_of_cells(tmp_path, name):
    source = read(tmp_path, EDGES, name, licence="CC0")
    assert show(source) == {("REST", "H1"): "G0 G1", ("GATA1", "K562"): "G2"}
    about = source.about
    assert (about.name, about.licence, about.universe) == ("mine", "CC0", "named")
    assert name in about.origin and "SHA-256" in about.origin


def test_settings_say_what_a_table_does_not(tmp_path):
    two = EDGES.replace("cell_line", "line")
    assert show(read(tmp_path, two, cell="hHEP")) == {
        ("REST", "HEPG2"): "G0 G1",
        ("GATA1", "HEPG2"): "G2",
    }
    assert show(read(tmp_path, two, cell_column="line")) == show(read(tmp_path, EDGES))
    assert show(read(tmp_path, EDGES, at_least=5.0)) == {
        ("REST", "H1"): "G0",
        ("GATA1", "K562"): "G2",
    }
    (tmp_path / "genes.txt").write_text("G0\nG1\nG2\nG9\n")
    told = read(tmp_path, EDGES, universe=tmp_path / "genes.txt")
    assert told.about.universe == "told" and told.genes.tolist() == ["G0", "G1", "G2", "G9"]


def test_rows_of_another_species_stay_out(tmp_path):
    text = "species,cell,TF,target\nhuman,K562,A,G0\nmouse,MEL,A,G1\n"
    assert show(read(tmp_path, text)) == {("A", "K562"): "G0"}
    with pytest.raises(ConfigError, match="none of its 1 rows is of --species human"):
        read(tmp_path, "species,cell,TF,target\nmouse,MEL,A,G1\n")


def test_chip_atlas_lists_what_half_of_the_experiments_score(tmp_path):
    found = show(read(tmp_path, CHIP_ATLAS, "GATA1.5.tsv"))
    assert found == {("GATA1", "K562"): "G0 G2", ("GATA1", "HUDEP2"): "G1"}
    strict = show(read(tmp_path, CHIP_ATLAS, "GATA1.5.tsv", at_least=80.0))
    assert strict == {("GATA1", "K562"): "G0", ("GATA1", "HUDEP2"): "G1"}


def test_sets_are_called_by_tf_and_cell(tmp_path):
    assert show(read(tmp_path, GMT, "sets.gmt")) == {
        ("CREB1", "HEPG2"): "G0 G1",
        ("POLR2A", "IMR90"): "G2",
        ("GATA1", "K562"): "G1 G3 G4",
    }
    plain = "GATA1(+)\tNA\tG0\tG1\nMYC\tNA\tG2\n"
    assert {*show(read(tmp_path, plain, "sets.gmt", cell="K562"))} == {
        ("GATA1", "K562"),
        ("MYC", "K562"),
    }
    with pytest.raises(ConfigError, match="2 of 2 sets name no cell type"):
        read(tmp_path, plain, "sets.gmt")


def test_a_beeline_set_tells_its_cells_and_universe(genelink, tmp_path):
    folder = tmp_path / "beeline_labels/Specific/mDC/TFs+500"
    folder.mkdir(parents=True)
    for path in [*tmp_path.glob("*.csv")]:
        path.rename(folder / path.name)
    source = read_lists("Specific/mDC/TFs+500", ListsConfig(species="mouse"), folder=folder)
    assert show(source) == {("A", "MDC"): "B C D", ("B", "MDC"): "C E"}
    assert source.genes.tolist() == [*"ABCDE"] and source.about.universe == "told"
    assert source.about.name == "Specific-mDC-TFs-500"
    other = tmp_path / "beeline_labels/STRING/mDC/TFs+500"
    other.parent.mkdir(parents=True)
    folder.rename(other)
    with pytest.raises(ConfigError, match="STRING network is of no cell type"):
        read_lists("STRING/mDC/TFs+500", ListsConfig(species="mouse"), folder=other)


def test_what_is_missing_is_said(tmp_path, caplog):
    with pytest.raises(ConfigError, match="no column of cell types among TF, target; name"):
        read(tmp_path, "TF,target\nA,G0\n")
    with pytest.raises(EdgeFormatError, match="row 2 has no cell type"):
        read(tmp_path, "TF,cell,target\nA,K562,G0\nA,,G1\n")
    with pytest.raises(ConfigError, match="no column of weights"):
        read(tmp_path, "TF,cell,target\nA,K562,G0\n", at_least=1.0)
    with pytest.raises(EdgeFormatError, match="row 2"):
        read(tmp_path, CHIP_ATLAS.replace("\t0\t870", "").replace("G1\t100\t0\t0\t200", "G1\t1"))
    with pytest.raises(EdgeFormatError, match="row 1 of 0"):
        read(tmp_path, CHIP_ATLAS.partition("\n")[0] + "\n")
    with pytest.raises(EdgeFormatError, match="no table of ChIP-Atlas"):
        read(tmp_path, CHIP_ATLAS.replace("|Average", "|Mean"))
    with pytest.raises(ConfigError, match="--at-least means nothing"):
        read(tmp_path, GMT, "sets.gmt", at_least=1.0)
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        read(tmp_path, EDGES.replace("\thESC", "\thESC_rep2"))
    assert "hESC_rep2 like H1" in caplog.text and "list of human TFs" not in caplog.text
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        read(tmp_path, "K562_GATA1\tNA\tG0\tG1\nA549_MYC\tNA\tG2\n", "turned.gmt")
    assert "2 of 2 TFs are not on the list of human TFs" in caplog.text


def test_names_of_sources_are_names_of_files():
    assert name_file("/x/Encode lists.tsv.gz") == "Encode-lists"
    assert name_file("Specific/hESC/TFs+1000") == "Specific-hESC-TFs-1000"
    assert name_file("GATA1.5.tsv") == "GATA1.5"
