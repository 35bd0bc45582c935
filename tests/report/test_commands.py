"""Reports of `train`, of `activity`, and of the eRegulons of `infer`."""

import pandas as pd
import pytest

from grnjax.errors import ConfigError
from grnjax.report import page
from grnjax.report.contents import read_contents
from grnjax.report.sections.command import write_command
from grnjax.report.sections.eregulons import list_regulons
from tests.report.conftest import EVIL, make_edges, make_record, write_run

pytest.importorskip("plotly", reason="the extra report is not installed")
pytest.importorskip("jinja2", reason="the extra report is not installed")


def test_train_is_judged_beside_the_trivial_rows(benchmark_folder):
    html = page.write_report(benchmark_folder).read_text()
    assert "<h1>Specific/hESC/TFs+500" in html and "How it was judged" in html
    assert "strongest trivial row (absolute Pearson)" in html
    assert "0.123" in html and "(4 of 5)" in html
    assert "Regulators</h2>" not in html  # train ranks no network
    assert "Kommu" in html
    command = write_command(read_contents(benchmark_folder))
    assert command == (
        "grnjax train data/Specific/hESC/TFs+500 --method=scRegNet --seeds 0 1 --out run"
    )


def test_activity_shows_which_type_has_which_regulon(activity_file, tmp_path):
    contents = read_contents(activity_file)
    path = page.write_report(activity_file)
    assert path == activity_file.with_suffix(".html")
    html = path.read_text()
    assert "highest in one group: A in x" in html and "Aibar" in html
    assert "by the means of donors" in html and '<td>x</td><th scope="row">A</th>' in html
    assert EVIL not in html.replace(str(page.read_plotly()), "")
    command = write_command(contents)
    assert command.startswith(f"grnjax activity {activity_file.parent / 'cells.h5ad'} ")
    assert "--aucell.top-share 0.3" in command and "--groups kind" in command
    assert "--assign" not in command and "Nothing was dropped" in html


def test_activity_that_was_changed_is_not_told(activity_file, tmp_path):
    copy = tmp_path / activity_file.name
    copy.write_bytes(activity_file.read_bytes())
    with pytest.raises(ConfigError, match="is not beside it"):
        read_contents(copy)
    copy.with_suffix(".json").write_bytes(activity_file.with_suffix(".json").read_bytes())
    read_contents(copy)
    copy.write_bytes(activity_file.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="is not as grnjax activity wrote it"):
        read_contents(copy)


def test_eregulons_are_told_by_regions_and_genes(tmp_path):
    table = pd.DataFrame(
        [("T", "chr1:1-9", "G1", "T_direct_+/+", 1), ("T", "chr1:1-9", EVIL, "T_direct_+/+", 3),
         ("T", "chr1:20-29", "G1", "T_direct_+/+", 2), ("U", "chr2:1-9", "G1", "U_direct_-/+", 4)],
        columns=["TF", "Region", "Gene", "eRegulon_name", "triplet_rank"],
    )  # fmt: skip
    table[["rho_R2G", "rho_TF2G", "triplet_score", "evidence"]] = 0.4, 0.5, 0.01, "RNA and ATAC"
    first, second = list_regulons(table.assign(group=""))
    assert (first["tf"], first["regions"], first["genes"]) == ("T", 2, 2)
    assert first["does"] == "opens, raises" and second["does"] == "closes, raises"
    folder = write_run(tmp_path / "run", make_edges(), make_record(method="enhancer"))
    table.to_csv(folder / "eregulons.tsv", sep="\t", index=False)
    html = page.render_report(read_contents(folder))
    assert "4 triplets of TF, region and gene in 2 eRegulons" in html and EVIL not in html
