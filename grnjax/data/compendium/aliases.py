"""One name a cell type and a TF: what sources call the same cells, and what they call a protein.

Leaving a cell type out means all of its sources, so a name that is missing here is a leak. Lines
of one type are one where their labels are each other's: embryonic stem cells of one species,
lymphoblastoid lines of many donors, the three lineages of BEELINE's haematopoietic stem cells,
which share one network.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from grnjax.data.names import list_names
from grnjax.progress import logger

ALIASES: Mapping[str, tuple[str, ...]] = {
    "H1": (
        *("H1", "H1ESC", "H1HESC", "HESC", "HESCS", "HESCT0", "HESCH1", "WA01", "HUMANES"),
        *("H7", "H7ESC", "H7HESC", "HESCH7", "WA07", "H9", "H9ESC", "H9HESC", "HESCH9", "WA09"),
    ),
    "GM": ("GM", "LCL", "LYMPHOBLASTOID"),  # and every GM with a number
    "HEPG2": ("HEPG2", "HHEP"),
    "SK-N-SH": ("SKNSH", "SKNSHRA"),
    "HELA-S3": ("HELAS3", "HELA"),
    "HEK293": ("HEK293", "HEK293T", "293", "293T"),
    "MESC": (
        *("MESC", "MESCS", "MES", "MOUSEES", "MCJ7", "CJ7", "ZHBTC4", "E14", "ESE14", "MESCE14"),
        *("E14TG2A", "ESBRUCE4", "BRUCE4", "V65", "R1ES", "J1ES"),
    ),
    "MDC": ("MDC", "DENDRITIC", "DENDRITICCELLS", "BMDC", "MBMDC"),
    "MHSC": ("MHSC", "MHSCE", "MHSCGM", "MHSCL"),
    "BMDM": ("BMDM", "MBMDM", "BONEMARROW", "BONEMARROWMACROPHAGE", "BONEMARROWMACROPHAGES"),
}
TF_SYMBOLS: Mapping[str, str] = {
    "AP-2ALPHA": "TFAP2A",
    "AP-2GAMMA": "TFAP2C",
    "BAF155": "SMARCC1",
    "BAF170": "SMARCC2",
    "BRG1": "SMARCA4",
    "CFOS": "FOS",
    "CJUN": "JUN",
    "CMYC": "MYC",
    "COREST": "RCOR1",
    "ERALPHA": "ESR1",
    "ERRA": "ESRRA",
    "ESR": "ESR1",
    "GCN5": "KAT2A",
    "GR": "NR3C1",
    "KAP1": "TRIM28",
    "MLL5": "KMT2E",
    "NF90": "ILF3",
    "NFKB": "RELA",
    "NRSF": "REST",
    "P300": "EP300",
    "PGC1A": "PPARGC1A",
    "POL2S2": "POLR2A",
    "POL3": "POLR3A",
    "RPC155": "POLR3A",
    "SIN3AK20": "SIN3A",
    "SPT20": "SUPT20H",
    "SREBP1": "SREBF1",
    "SREBP2": "SREBF2",
    "TFIIIC-110": "GTF3C2",
    "TR4": "NR2C2",
}
"""What lists call some TFs by their protein or antibody, and the symbols of their genes."""


def name_cell_type(name: str) -> str:
    """The one name of a cell type of whatever source: GM12878, GM06990-DS7748 and so on are GM.

    Case and punctuation do not count, nor does what the footprint networks append (-DS7748).
    """
    key = re.sub(r"[^A-Z0-9]", "", re.sub(r"-DS\d+$", "", name.strip().upper()))
    for canonical, names in ALIASES.items():
        if key in names:
            return canonical
    return "GM" if re.fullmatch(r"GM\d+", key) else key


def name_cell_types(names: Iterable[str]) -> np.ndarray:
    """`name_cell_type` of many names, of which few differ: [name] str."""
    unique, place = np.unique(np.asarray([*names], dtype=str), return_inverse=True)
    return np.array([name_cell_type(str(name)) for name in unique], dtype=str)[place]


def name_tf(name: str) -> str:
    """The symbol of a TF in upper case: REST for NRSF, GATA1 for Gata1."""
    return TF_SYMBOLS.get(name.upper(), name.upper())


def warn_of_alike(names: Iterable[str], source: object) -> None:
    """A warning about cell types that begin with the name of another one and are not it.

    HepG2_rep1 is a cell type of its own here, and leaving HepG2 out would leave it in.
    """
    known = {alias: type_ for type_, aliases in ALIASES.items() for alias in aliases}
    known = {alias: type_ for alias, type_ in known.items() if len(alias) > 3}
    alike = {}
    for name in sorted({*names}):
        canonical = name_cell_type(name)
        near = {known[alias] for alias in known if canonical.startswith(alias)}
        if canonical not in ALIASES and near:
            alike[name] = min(near)
    if alike:
        shown = list_names(f"{name} like {type_}" for name, type_ in alike.items())
        logger.warning(
            f"{source}: {len(alike):,} names begin as those of known cell types and count as types "
            f"of their own ({shown}); if they are the same cells, --cell names them so"
        )
