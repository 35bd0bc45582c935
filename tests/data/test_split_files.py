"""Published pairs: what is read, what is made where it is missing, what is refused."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from grnjax.data.beeline import BeelineFolder, read_folder
from grnjax.data.genes import build_dataset
from grnjax.data.split_files import PARTS, list_split_folders, read_draw, read_splits
from grnjax.errors import EdgeFormatError, GeneMismatchError, SplitError
from grnjax.types import Dataset, LabelledPairs, Split

SPLIT = {
    "Train": [("A", "B", 1), ("B", "C", 1), ("A", "E", 0)],
    "Test": [("A", "C", 1), ("B", "A", 0)],
}
CONTAMINATED = [("A", "C", 1), ("B", "A", 0), ("A", "B", 0), ("A", "E", 0)]  # the last two train


@pytest.fixture
def published(genelink):
    """The folder with train and test pairs."""
    for part, rows in SPLIT.items():
        genelink.write_split(part, rows)
    return genelink


def build(beeline: BeelineFolder) -> Dataset:
    genes, tfs = beeline.genes, beeline.tfs
    return build_dataset(None, beeline.edges, tfs=tfs, universe=genes, source="toy")


def load(folder: Path, protocol="corrected") -> Split:
    beeline = read_folder(folder)
    return read_splits(folder, beeline, build(beeline), protocol)


def named(labelled: LabelledPairs, names: str = "ABCDE") -> set[tuple[str, str, int]]:
    pairs = zip(labelled.pairs.tolist(), labelled.labels.tolist(), strict=True)
    return {(names[tf], names[target], int(label)) for (tf, target), label in pairs}


def test_pairs_are_those_of_the_files(genelink, packed):
    for part, rows in SPLIT.items():
        genelink.write_split(part, rows, packed)
    split = load(genelink.path)
    assert named(split.train) == set(SPLIT["Train"])
    assert named(split.test) == set(SPLIT["Test"])
    assert (split.kind, split.draw) == ("published", 0)


def test_shuffled_files_give_the_same_split(published, tmp_path_factory):
    expected = load(published.path)
    other = tmp_path_factory.mktemp("shuffled")
    for path in published.path.iterdir():
        header, *rows = path.read_text().split("\n")
        (other / path.name).write_text("\n".join([header, *rows[::-1]]))
    again = load(other)
    for part in PARTS:
        np.testing.assert_array_equal(getattr(again, part).pairs, getattr(expected, part).pairs)


def test_the_number_of_a_sample_is_its_draw(genelink):
    for sample in ("sample2", "sample10", "sample1"):
        for part, rows in SPLIT.items():
            genelink.write_split(f"{sample}/{part}", rows)
    (genelink.path / "samples of mine").mkdir()
    folders = list_split_folders(genelink.path)
    assert [folder.name for folder in folders] == ["sample1", "sample2", "sample10"]
    beeline = read_folder(genelink.path)
    assert [read_splits(f, beeline, build(beeline)).draw for f in folders] == [1, 2, 10]
    assert list_split_folders(folders[1]) == [folders[1]]
    assert list_split_folders(genelink.path / "nowhere") == []
    assert read_draw(genelink.path) == 0


def test_a_missing_validation_set_is_the_rest_of_the_tfs_of_the_files(published, caplog):
    caplog.set_level("INFO", logger="grnjax")
    split = load(published.path)
    used = {pair[:2] for rows in SPLIT.values() for pair in rows}
    rest = {
        (tf, target, int((tf, target) in published.EDGES))
        for tf, target in itertools.product("AB", "ABCDE")
        if tf != target and (tf, target) not in used
    }
    assert named(split.validation) == rest
    assert "no Validation_set.csv; the 3 pairs outside train and test are taken" in caplog.text


def test_a_given_validation_set_is_taken_as_it_is(published):
    rows = [("A", "D", 1), ("B", "D", 0), ("C", "A", 0)]
    published.write_split("Validation", rows)
    assert named(load(published.path).validation) == set(rows)


def test_without_most_pairs_a_part_of_train_validates(tmp_path, caplog):
    """30 TFs with three targets and three negatives each, of 59 candidates."""
    names = [f"G{i:02}" for i in range(60)]
    pairs = {(tf, (tf + step) % 60): int(step <= 3) for tf in range(30) for step in range(1, 7)}
    train = {pair: label for pair, label in pairs.items() if (pair[1] - pair[0]) % 60 not in (3, 6)}
    test = {pair: label for pair, label in pairs.items() if pair not in train}
    lines = [f"{i},{name},{i}" for i, name in enumerate(names)]
    (tmp_path / "Target.csv").write_text("\n".join([",Gene,index", *lines]))
    edges = [f"{names[tf]},{names[target]}" for (tf, target), label in pairs.items() if label]
    (tmp_path / "BL--network.csv").write_text("\n".join(["Gene1,Gene2", *edges]))
    for part, rows in (("Train", train), ("Test", test)):
        lines = [f"{tf},{target},{label}" for (tf, target), label in rows.items()]
        (tmp_path / f"{part}_set.csv").write_text("\n".join(["TF,Target,Label", *lines]))

    def numbers(part):
        keys = map(tuple, part.pairs.tolist())
        return dict(zip(keys, part.labels.astype(int).tolist(), strict=True))

    split = load(tmp_path)
    assert numbers(split.train) | numbers(split.validation) == train
    assert numbers(split.test) == test
    labels = split.validation.labels
    assert (labels.sum(), (1 - labels).sum()) == (12, 12)  # a fifth of 60 and of 60
    assert np.bincount(split.validation.pairs[:, 0]).max() <= 2  # spread over the TFs
    assert "list only 180 of the 1,770 pairs of their TFs; 24 of 120 train pairs" in caplog.text
    np.testing.assert_array_equal(load(tmp_path).validation.pairs, split.validation.pairs)


def test_test_pairs_that_train_are_dropped_aloud(published, caplog):
    published.write_split("Test", CONTAMINATED)
    beeline = read_folder(published.path)
    dataset = build(beeline)
    split = read_splits(published.path, beeline, dataset)
    assert named(split.test) == set(SPLIT["Test"]) and split.kind == "published"
    assert named(split.train) == set(SPLIT["Train"])
    assert "2 of 4 test pairs are also in train or validation, dropped (1 of them" in caplog.text
    [report] = dataset.report["published_splits"].values()
    assert report["test_pairs_also_in_train_or_validation"] == 2
    assert report["of_these_edges_labelled_0"] == 1
    json.dumps(report)


def test_as_published_keeps_them_with_the_labels_of_the_file(published, caplog):
    published.write_split("Test", CONTAMINATED)
    split = load(published.path, "as-published")
    assert named(split.test) == set(CONTAMINATED) and split.kind == "published, overlapping"
    assert named(split.train) == set(SPLIT["Train"])
    assert "kept, as published" in caplog.text


@pytest.mark.parametrize("protocol", ["corrected", "as-published"])
def test_files_without_overlap_are_the_same_in_both_protocols(published, protocol, caplog):
    split = load(published.path, protocol)
    assert split.kind == "published" and named(split.test) == set(SPLIT["Test"])
    assert "also in train" not in caplog.text


@pytest.mark.parametrize("protocol", ["corrected", "as-published"])
@pytest.mark.parametrize(
    "part, rows, kind, complaint",
    [
        ("Train", [("A", "B", 2)], EdgeFormatError, "labels must be 0 or 1"),
        ("Train", [("A", "B", 0)], SplitError, "0 pairs labelled 1 .*1 labelled 0 are"),
        ("Test", [("B", "A", 1)], SplitError, "1 pairs labelled 1 are no edges .*0 labelled 0"),
        ("Test", [("A", "C", 0)], SplitError, "0 pairs labelled 1 .*1 labelled 0 are"),
        ("Test", [*CONTAMINATED, ("A", "D", 0)], SplitError, "0 pairs .*1 labelled 0 are"),
        ("Validation", [("A", "E", 0)], SplitError, "1 pairs are in train and in validation"),
        ("Validation", [("C", "A", 0)], SplitError, r"no positives in validation \(1 pairs\)"),
        ("Validation", [("A", "D", 1)], SplitError, r"no negatives in validation \(1 pairs\)"),
    ],
)
def test_a_damaged_split_is_refused(published, part, rows, kind, complaint, protocol):
    published.write_split(part, rows)
    with pytest.raises(kind, match=complaint):
        load(published.path, protocol)


def test_a_test_set_of_train_pairs_alone_cannot_be_judged(published):
    published.write_split("Test", [("A", "B", 1), ("A", "E", 0)])
    with pytest.raises(SplitError, match=r"no positives in test \(0 pairs\)"):
        load(published.path)


def test_a_split_that_leaves_nothing_to_validate_on_is_refused(published):
    everything = [
        (tf, target, int((tf, target) in published.EDGES))
        for tf, target in itertools.product("AB", "ABCDE")
        if tf != target
    ]
    published.write_split("Train", [row for row in everything if row not in SPLIT["Test"]])
    with pytest.raises(SplitError, match=r"no positives in validation \(0 pairs\)"):
        load(published.path)


def test_copies_and_self_pairs_of_a_split_are_dropped_aloud(published, caplog):
    published.write_split("Test", [*SPLIT["Test"], ("B", "A", 0), ("A", "A", 0)])
    assert named(load(published.path).test) == set(SPLIT["Test"])
    assert "Test_set.csv: 1 duplicates dropped" in caplog.text
    assert "Test_set.csv: 1 self loops dropped" in caplog.text


def test_a_number_outside_the_gene_list_is_refused(published):
    published.write("Test_set.csv", "TF,Target,Label", [(3, 1, 1), (4, 5, 0), (4, -1, 0)])
    with pytest.raises(EdgeFormatError, match=r"2 of 3 target numbers.*from 0 to 4 \(5, -1\)"):
        load(published.path)


def test_missing_parts_and_labels_are_named(published):
    published.write("Test_set.csv", "TF,Target", [(3, 1)])
    with pytest.raises(EdgeFormatError, match="Test_set.csv: no column Label"):
        load(published.path)
    (published.path / "Test_set.csv").unlink()
    with pytest.raises(EdgeFormatError, match=r"no Test_set.csv \(or .csv.gz\)"):
        load(published.path)


def test_a_data_set_of_other_genes_is_refused(published):
    beeline = read_folder(published.path)
    other = build_dataset(None, beeline.edges, tfs=None, universe=list("ABC"), source="toy")
    with pytest.raises(GeneMismatchError, match=r"2 of 5 genes of Target.csv .*\(D, E\)"):
        read_splits(published.path, beeline, other)


@pytest.fixture(scope="module")
def read_real():
    """Reads a published split of the real data: (source, name of the set)."""
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real data")

    def read(source: str, name: str, sample: str = "", protocol="corrected") -> Split:
        beeline = read_folder(Path(data) / "beeline_labels" / name)
        folder = Path(data) / "beeline_splits" / source / name / sample
        return read_splits(folder, beeline, build(beeline), protocol)

    return read


@pytest.mark.slow
def test_the_rest_of_scregnets_split_is_genelinks_validation_set(read_real):
    ours, theirs = (read_real(who, "Specific/hESC/TFs+500") for who in ("scRegNet", "GENELink"))
    assert [len(getattr(ours, part)) for part in PARTS] == [20677, 3087, 7142]
    for part in PARTS:
        np.testing.assert_array_equal(getattr(ours, part).pairs, getattr(theirs, part).pairs)
        np.testing.assert_array_equal(getattr(ours, part).labels, getattr(theirs, part).labels)
    assert sum(len(getattr(ours, part).positives) for part in PARTS) == 4545


@pytest.mark.slow
@pytest.mark.parametrize(
    "source, name, sample, sizes",
    [
        ("scRegNet", "Specific/hHEP/TFs+500", "", [19002, 2845, 6563]),
        ("scRegNet", "Specific/mESC/TFs+500", "", [65897, 9839, 22736]),
        ("GeneLink_Plus", "Specific/mHSC-E/TFs+500", "", [13632, 2037, 4718]),
        ("GCLink", "Specific/hESC/TFs+1000", "sample3", [32063, 4794, 11049]),
        ("EnhanceForGCLink", "Specific/mDC/TFs+1000", "sample5", [18555, 2769, 6396]),
    ],
)
def test_published_splits_have_their_published_sizes(read_real, source, name, sample, sizes):
    split = read_real(source, name, sample)
    assert [len(getattr(split, part)) for part in PARTS] == sizes
    assert split.draw == int(sample.removeprefix("sample") or 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell, train, validation, test, shared, denied",
    [("hESC", 4984, 1020, 115357, 1050, 513), ("mDC", 4234, 854, 85874, 903, 449)],
)
def test_non_specific_splits_are_contaminated_as_written_about_them(
    read_real, cell, train, validation, test, shared, denied
):
    where = ("EnhanceForGCLink", f"Non-Specific/{cell}/TFs+1000", "sample1")
    corrected, as_published = (read_real(*where, p) for p in ("corrected", "as-published"))
    assert [len(getattr(as_published, part)) for part in PARTS] == [train, validation, test]
    assert len(corrected.test) == test - shared
    for part in ("train", "validation"):
        one, other = getattr(corrected, part), getattr(as_published, part)
        np.testing.assert_array_equal(one.pairs, other.pairs)
        assert len(one.positives) == len(one) / 2
    kinds = (corrected.kind, as_published.kind)
    assert kinds == ("published", "published, overlapping")
    positives = set(map(tuple, as_published.train.positives.tolist()))
    negatives = as_published.test.pairs[as_published.test.labels == 0].tolist()
    assert len(positives.intersection(map(tuple, negatives))) == denied
    assert len(corrected.test.positives) == len(as_published.test.positives)
