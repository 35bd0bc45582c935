import itertools

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import EdgeFormatError, GeneMismatchError

tf_network = pytest.importorskip(
    "grnjax.plotting.tf_network", reason="the extra plot is not installed"
)


@pytest.fixture
def edges():
    """HUB scores g0 best; eight other TFs have one known edge more than the one before."""
    rows = [("HUB", f"g{i}", 1 - i / 100, "known" if i % 3 == 0 else "new") for i in range(40)]
    for k in range(8):
        rows += [(f"OTHER{k}", f"g{i}", 0.5, "known" if i <= k else "new") for i in range(40)]
    table = pd.DataFrame(rows, columns=["tf", "target", "importance", "status"])
    return table.sample(frac=1, random_state=0)


def read_names(figure):
    return {text.get_text(): text for text in figure.axes[0].texts if text.get_bbox_patch()}


def test_the_best_targets_stand_clockwise_by_rank_on_growing_rings(edges):
    names = read_names(tf_network.plot_tf_network(edges, "HUB"))
    targets = [name for name in names if name.startswith("g")]
    assert targets == [f"g{i}" for i in range(30)]
    x, y = np.array([names[name].get_position() for name in targets]).T
    radius, angle = np.hypot(x, y), np.arctan2(x, y) % (2 * np.pi)
    np.testing.assert_allclose(radius[:10], radius[0])
    np.testing.assert_allclose(radius[10:], radius[10])
    assert radius[10] > radius[0]
    assert (x[0], y[0]) == pytest.approx((0, radius[0]))  # the best one is at the top
    assert (np.diff(angle[:10]) > 0).all()
    assert (np.diff(angle[10:]) > 0).all()
    assert names["HUB"].get_position() == (0, 0)


def test_width_falls_with_the_score_and_dashes_tell_new_from_known(edges):
    figure = tf_network.plot_tf_network(edges, "HUB")
    arrows = figure.axes[0].patches
    assert len(arrows) == 30
    widths = [arrow.get_linewidth() for arrow in arrows]
    assert (np.diff(widths) < 0).all()
    solid = [arrow.get_linestyle() == "-" for arrow in arrows]
    assert solid == [i % 3 == 0 for i in range(30)]


def test_other_tfs_are_those_with_most_known_edges_to_the_targets_shown(edges):
    figure = tf_network.plot_tf_network(edges, "HUB", top=5)
    others = {name for name in read_names(figure) if name.startswith("OTHER")}
    # OTHER4 to OTHER7 know all five targets shown; OTHER3 four, OTHER2 three
    assert others == {f"OTHER{k}" for k in range(2, 8)}
    assert len(figure.axes[0].lines) == 4 * 5 + 4 + 3
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "known edge of another TF (6 of 8 drawn)"


def test_no_name_covers_another_one(edges):
    long = {f"g{i}": f"15000{i:02d}L24RIK" for i in range(40)}
    figure = tf_network.plot_tf_network(edges.replace(long), "HUB")
    figure.draw_without_rendering()
    boxes = {n: t.get_bbox_patch().get_window_extent() for n, t in read_names(figure).items()}
    covered = [(a, b) for a, b in itertools.combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    assert covered == []


def test_names_of_genes_change_nothing_but_the_names(edges):
    genes = sorted({*edges["tf"], *edges["target"]})
    numbers = np.random.default_rng(0).permutation(len(genes))
    renamed = {gene: f"x{number}" for gene, number in zip(genes, numbers, strict=True)}
    drawn = read_names(tf_network.plot_tf_network(edges, "HUB"))
    again = read_names(tf_network.plot_tf_network(edges.replace(renamed), renamed["HUB"]))
    for name, text in drawn.items():
        if name.startswith("g"):
            assert again[renamed[name]].get_position() == pytest.approx(text.get_position())


@pytest.mark.parametrize("top", [1, 8, 30, 60])
def test_few_and_many_targets_can_be_drawn(edges, top, draw):
    figure = tf_network.plot_tf_network(edges, "HUB", top=top)
    draw(figure)
    assert sum(name.startswith("g") for name in read_names(figure)) == min(top, 40)


def test_a_tf_alone_can_be_drawn(edges, draw):
    figure = tf_network.plot_tf_network(edges[edges["tf"] == "HUB"], "HUB")
    draw(figure)
    assert figure.axes[0].lines[:] == []
    assert "another TF" not in figure.legends[0].get_texts()[-1].get_text()


def test_mistakes_are_named(edges):
    with pytest.raises(GeneMismatchError, match="No edge starts at NANOG; among the TFs are"):
        tf_network.plot_tf_network(edges, "NANOG")
    with pytest.raises(EdgeFormatError, match="no column importance"):
        tf_network.plot_tf_network(edges.drop(columns="importance"), "HUB")


@pytest.mark.parametrize("name", ["edges.tsv", "rankedEdges.csv"])
def test_what_infer_writes_is_drawn(edges, name, tmp_path):
    from grnjax.data.edges import write_edges, write_ranked_edges

    write = write_edges if name == "edges.tsv" else write_ranked_edges
    write(edges, tmp_path / name)
    drawn = tf_network.plot_tf_network(edges, "HUB", top=5)
    for table in (tmp_path / name, pd.read_csv(tmp_path / name, sep="\t")):
        figure = tf_network.plot_tf_network(table, "HUB", top=5)
        names = [text for text in read_names(figure) if text.startswith(("g", "HUB"))]
        assert names == [text for text in read_names(drawn) if text.startswith(("g", "HUB"))]


def test_without_a_status_nothing_is_called_known_or_new(edges):
    figure = tf_network.plot_tf_network(edges.drop(columns="status"), "HUB")
    assert all(arrow.get_linestyle() == "-" for arrow in figure.axes[0].patches)
    assert not any(name.startswith("OTHER") for name in read_names(figure))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == 2 and all(text.startswith("score") for text in legend)
