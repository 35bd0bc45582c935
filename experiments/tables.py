"""The tables of all pages, the CSV files and the pictures, made from the rows in results/.

Run:     python -m experiments.tables          makes them again
         python -m experiments.tables --check  reports whether tables and CSV files are up to date
"""

import sys
from collections.abc import Callable
from pathlib import Path

from experiments.bench import tables as bench
from experiments.cells import drug_tables as drugs
from experiments.cells import tables as cells
from experiments.compendium import tables as compendium
from experiments.expression_only import tables as expression_only
from experiments.foundation import tables as foundation
from experiments.foundation import training_tables as foundation_training
from experiments.grnformer import label_free_tables as label_free
from experiments.grnformer import pretrain_tables as pretrain
from experiments.grnformer import tables as grnformer
from experiments.gt_grn import tables as gt_grn
from experiments.kernel_factor import tables as kernel_factor
from experiments.peers import tables as peers
from experiments.scregnet import tables as scregnet
from experiments.shared.record import RESULTS
from experiments.shared.tables import ROOT, csv_text, fill_in
from grnjax.storage.files import write_atomic

FOLDER = ROOT / "experiments"
PAPERS = {"scregnet": scregnet, "gt_grn": gt_grn, "kernel_factor": kernel_factor}
PAPERS |= {
    "foundation": foundation,
    "compendium": compendium,
    "grnformer": grnformer,
    "expression_only": expression_only,
    "peers": peers,
    "cells": cells,
    "bench": bench,
}
PAGES: dict[Path, dict[str, Callable[[], object]]] = {
    ROOT / "README.md": kernel_factor.README,
    ROOT / "docs/speed.md": bench.SPEED,
    ROOT / "docs/scaling.md": bench.GROWTH,
    ROOT / "docs/foundation.md": foundation.COSTS,
    FOLDER / "cells/perturbation.md": cells.PERTURBATION_PAGE,
    FOLDER / "cells/drug_response.md": drugs.RESPONSE_PAGE,
    FOLDER / "compendium/lines.md": compendium.LINES,
    FOLDER / "compendium/beeline.md": compendium.SETS,
    FOLDER / "foundation/training.md": foundation_training.TABLES,
    FOLDER / "grnformer/label_free.md": label_free.TABLES,
    FOLDER / "grnformer/pretrain.md": pretrain.TABLES,
    **{FOLDER / name / "README.md": paper.TABLES for name, paper in PAPERS.items()},
}


def make_texts() -> dict[Path, str]:
    """Pages and CSV files as the measured rows have them."""
    texts = {page: fill_in(page.read_text(), tables) for page, tables in PAGES.items()}
    for paper in PAPERS.values():
        texts |= {RESULTS / f"{name}.csv": csv_text(load()) for name, load in paper.CSV.items()}
    return texts


def main() -> None:
    """Rewrites or checks all of them."""
    texts = make_texts()
    old = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        names = ", ".join(str(path.relative_to(ROOT)) for path in old)
        sys.exit(f"{names}: out of date; run python -m experiments.tables" if old else 0)
    for path in old:
        write_atomic(path, texts[path])
    for name, paper in PAPERS.items():
        for picture, plot in paper.PICTURES.items():
            plot().savefig((FOLDER / name / picture).resolve(), dpi=150)


if __name__ == "__main__":
    main()
