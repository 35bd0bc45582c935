"""One name a cell type, under whatever name a source has it; a missing one would be a leak."""

import logging

import pytest

from grnjax.data.compendium.aliases import (
    ALIASES,
    name_cell_type,
    name_cell_types,
    name_tf,
    warn_of_alike,
)

SAME = [
    ("H1", "h1", "hESC", "hESCT0", "hESCT0-DS11909", "H1-hESC", "H1ESC", "H9", "WA09"),
    ("HepG2", "hHEP", "HEPG2", "HepG2-DS7764", "Hep-G2"),
    ("GM12878", "GM06990-DS7748", "gm19193", "GM12865", "GM08714", "GM10847", "LCL"),
    ("mESC", "ZhBTc4-DS17562", "mCJ7-DS13320", "E14", "ES-E14"),
    ("mDC", "dendritic", "Dendritic"),
    ("mHSC-E", "mHSC-GM", "mHSC-L"),
    ("SK-N-SH", "SKNSH-DS8482", "SK-N-SH_RA"),
    ("HeLa-S3", "HELA-S3", "HeLa"),
    ("IMR90", "IMR-90", "IMR90-DS13219"),
    ("K562", "K-562", "K562-DS9767"),
    ("MCF7", "MCF-7"),
    ("HEK293", "HEK 293T", "293T"),
    ("bone_marrow", "BMDM"),
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_one_cell_type_goes_by_one_name(names):
    assert len({name_cell_type(name) for name in names}) == 1
    assert len({*name_cell_types(names)}) == 1


def test_different_cell_types_keep_their_names():
    names = [name_cell_type(names[0]) for names in SAME]
    names += map(
        name_cell_type, ("A549", "HCT116", "NB4", "mB", "mBrain", "KBM7", "SH-SY5Y", "GMP")
    )
    assert len({*names}) == len(names)
    every = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(every) == len({*every})


def test_tfs_go_by_the_symbols_of_their_genes():
    assert [*map(name_tf, ("NRSF", "Gata1", "AP-2alpha", "P300"))] == [
        *("REST", "GATA1", "TFAP2A", "EP300")
    ]


def test_names_that_only_begin_as_a_known_type_are_said(caplog):
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        warn_of_alike(["HepG2_rep1", "K562", "hHEP", "T cell"], "mine.tsv")
    assert "HepG2_rep1 like HEPG2" in caplog.text and "1 names" in caplog.text
    caplog.clear()
    warn_of_alike(["HepG2", "GM12878"], "mine.tsv")
    assert not caplog.text
