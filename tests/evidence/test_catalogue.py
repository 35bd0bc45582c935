"""`--evidence` names sources one by one or as a folder, and nothing in a folder goes unread."""

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError
from grnjax.evidence.catalogue import digest_entries, find_licence, list_sources, read_blocks

NAMES = np.array([f"G{i:02d}" for i in range(12)])
TFS = np.array([0, 1])


@pytest.fixture
def folder(tmp_path):
    """A folder with a table, an interaction list, two networks, a README and a hidden file."""
    folder = tmp_path / "blocks"
    folder.mkdir()
    numbers = {"gene": NAMES, "variance": np.linspace(1, 2, 12)}
    pd.DataFrame(numbers).to_csv(folder / "table_dispersion.csv", index=False)
    links = {"gene1": NAMES[:-1], "gene2": NAMES[1:]}
    pd.DataFrame(links).to_csv(folder / "interactions_string.v12.tsv", sep="\t", index=False)
    for name, tf, start in (("network_liver", "A", 2), ("network-other-species_mouse", "B", 6)):
        edges = {"tf": [tf] * 4 + ["C"], "target": [*NAMES[start : start + 4], NAMES[0]]}
        pd.DataFrame(edges).to_csv(folder / f"{name}.csv", index=False)
    (folder / "README.md").write_text("Where these files are from.")
    (folder / ".hidden").write_text("")
    return folder


def test_a_folder_is_read_by_the_names_of_its_files(folder):
    table, links, networks = sorted(read_blocks([str(folder)], NAMES, TFS), key=kind_first)
    assert (table.name, links.name) == ("table dispersion", "interactions string v12")
    assert networks.name == "other networks"
    assert networks.genes[0].values.shape == (len(NAMES), 2)
    for part in (table.report, links.report, *networks.report["parts"]):
        assert part["licence_file"] == str(folder / "README.md")
    claims = [part["species_differs"] for part in networks.report["parts"]]
    assert sorted(claims) == [False, True]


def kind_first(evidence):
    return ["table dispersion", "interactions string v12", "other networks"].index(evidence.name)


def test_entries_give_what_the_folder_gives(folder):
    entries = [
        f"network-other-species={folder}/network-other-species_mouse.csv",
        f"interactions={folder}/interactions_string.v12.tsv",
        f"network={folder}/network_liver.csv",
        f"table={folder}/table_dispersion.csv",
    ]
    by_entry = {item.name: item for item in read_blocks(entries, NAMES, TFS)}
    by_folder = {item.name: item for item in read_blocks([str(folder)], NAMES, TFS)}
    assert by_entry.keys() == by_folder.keys()
    for name, item in by_entry.items():
        mine, theirs = item.genes[0].values, by_folder[name].genes[0].values
        np.testing.assert_array_equal(np.sort(mine, axis=1), np.sort(theirs, axis=1))
    table = by_entry["table dispersion"]
    assert table.report["licence_file"] == str(folder / "README.md"), "it lies beside the file"


def test_one_network_keeps_its_name_and_means_what_several_mean(folder):
    [network] = read_blocks([f"network={folder}/network_liver.csv"], NAMES, TFS)
    assert network.name == "network liver"
    several = read_blocks([str(folder)], NAMES, TFS)[-1]
    place = [*several.report["columns"]].index(network.report["source"])
    np.testing.assert_array_equal(several.genes[0].values[:, [place]], network.genes[0].values)


def test_what_is_not_recognised_is_an_error_that_lists_the_kinds(folder):
    (folder / "moitfs.parquet").write_text("")
    with pytest.raises(ConfigError, match="moitfs.parquet; the nearest kind is motifs.*curated"):
        list_sources([str(folder)])
    (folder / "moitfs.parquet").rename(folder / "motifsx.parquet")  # no mark ends the kind
    with pytest.raises(ConfigError, match="motifsx.parquet"):
        list_sources([str(folder)])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("motif=x.csv", "did you mean motifs"),
        ("networks-other-species=x.csv", "did you mean network-other-species"),
        ("motifs=absent.parquet", "no such file: absent.parquet"),
        ("absent", "absent is no such folder"),
        ("peaks=one.bed", "names 1 files; write peaks=PEAKS,HITS"),
        ("peaks=one.bed,,sites.bed", "names 2 files; write peaks=PEAKS,HITS"),
        ("peaks=a,b,c,d,e", "write peaks=PEAKS,HITS"),
        ("motifs=", "names 0 files; write motifs=PATH"),
    ],
)
def test_a_wrong_entry_says_what_to_write(entry, message):
    with pytest.raises(ConfigError, match=message):
        list_sources([entry])


def test_a_file_without_kind_is_refused(folder):
    with pytest.raises(ConfigError, match="a file of no stated kind"):
        list_sources([str(folder / "network_liver.csv")])


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "LICENSE").write_text("")
    with pytest.raises(ConfigError, match="no evidence"):
        list_sources([str(tmp_path)])


def test_sources_of_one_name_go_by_their_paths(tmp_path):
    for cell in ("liver", "blood"):
        (tmp_path / cell / "TFs+500").mkdir(parents=True)
    entries = [f"network={tmp_path}/{cell}/TFs+500" for cell in ("liver", "blood")]
    names = [source.name for source in list_sources(entries)]
    assert names == [f"network {tmp_path}/{cell}/TFs+500" for cell in ("liver", "blood")]
    with pytest.raises(ConfigError, match="given twice"):
        list_sources([entries[0], entries[0]])


def test_digests_name_every_file_by_its_role(folder, tmp_path):
    peaks = folder / "peaks_hsc"
    peaks.mkdir()
    for name in ("peaks.bed", "hits.tsv", "tss_mm10.bed"):
        (peaks / name).write_text("")
    vectors = tmp_path / "cells.h5ad"
    vectors.write_text("")
    roles = digest_entries([str(folder), f"vectors={vectors}:gene_vectors"])
    assert roles == {
        "blocks: interactions string v12": folder / "interactions_string.v12.tsv",
        "blocks: network other species mouse": folder / "network-other-species_mouse.csv",
        "blocks: network liver": folder / "network_liver.csv",
        "blocks: peaks hsc, peaks": peaks / "peaks.bed",
        "blocks: peaks hsc, hits": peaks / "hits.tsv",
        "blocks: peaks hsc, tss": peaks / "tss_mm10.bed",
        "blocks: table dispersion": folder / "table_dispersion.csv",
        "blocks: vectors cells gene vectors": vectors,
    }


def test_peaks_come_with_start_sites_and_factors_from_a_folder_or_one_by_one(tmp_path):
    texts = {
        "peaks.bed": "chr1\t1000\t2000\nchr1\t9000\t9500\tG02\nchr2\t10\t20\tG04\n",
        "hits.bed": "chr1\t1100\t1110\tM1\nchr1\t9100\t9110\tM2\n",
        "tss.bed": "chr1\t2500\t2501\tG03\n",
        "factors.tsv": "Motif\tFactor\nM1\tG00\nM2\tG01\n",
    }
    folder = tmp_path / "peaks_hsc"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    own = []
    for sites in (folder / "tss.bed", ""):
        entry = f"peaks={folder}/peaks.bed,{folder}/hits.bed,{sites},{folder}/factors.tsv"
        own.append(read_blocks([entry], NAMES, TFS)[0].pairs[0].values)
    assert [np.argwhere(values).tolist() for values in own] == [[[0, 3], [1, 2]], [[1, 2]]]
    [evidence] = read_blocks([str(tmp_path)], NAMES, TFS)
    np.testing.assert_array_equal(evidence.pairs[0].values, own[0])
    assert evidence.name == "peaks hsc"


def test_peaks_in_a_folder_need_their_hits(folder):
    (folder / "peaks_hsc.bed").write_text("")
    with pytest.raises(
        ConfigError, match="begins with peaks, hits, and at most one with tss, factors; found"
    ):
        list_sources([str(folder)])


def test_a_licence_beside_a_source_counts_before_that_of_the_folder(folder):
    own = folder / "network_blood"
    own.mkdir()
    for name in ("LICENSE.txt", "readme"):
        (own / name).write_text("")
    assert find_licence(own) == str(own / "LICENSE.txt")
    assert find_licence(folder / "network_liver.csv") == str(folder / "README.md")
