"""Drugs as graphs of their atoms with the 75 features of DeepCDR, stored ones or by RDKit.

The layout is deepchem's ConvMolFeaturizer (Duvenaud et al. 2015), which DeepCDR (Liu et al. 2020,
Bioinformatics 36:i911) stores: element (44), degree 0-10 (11), implicit valence 0-6 (7), formal
charge, radical electrons, hybridisation (5), aromatic, hydrogens 0-4 (5). RDKit comes with
`pip install 'grnjax[chem]'`.
"""

import dataclasses
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from grnjax.data.safe_arrays import translate
from grnjax.data.safe_hdf5 import check_hdf5
from grnjax.errors import ConfigError, ExpressionFormatError

ELEMENTS = (
    "C N O S F Si P Cl Br Mg Na Ca Fe As Al I B V K Tl Yb Sb Sn Ag Pd Co Se Ti Zn H Li Ge Cu Au "
    "Ni Cd In Mn Zr Cr Pt Hg Pb Unknown"
).split()
FEATURES = 75
MOST_BYTES = 8_000_000  # of the stored graph of one drug


@dataclasses.dataclass(frozen=True, eq=False)
class DrugGraph:
    """One drug."""

    features: Float[np.ndarray, "atom feature"]
    bonds: Int[np.ndarray, "bond 2"]  # both directions


def read_stored_graphs(path: str | Path) -> dict[str, DrugGraph]:
    """The drugs of DeepCDR's drug_graph_feat.zip by PubChem id; nothing in it is executed.

    Each member is HDF5 that hickle wrote: features, and the neighbours of each atom.
    """
    import h5py

    found = {}
    with (
        translate(path, "archive of drug graphs", ExpressionFormatError),
        zipfile.ZipFile(path) as z,
        tempfile.TemporaryDirectory() as folder,
    ):
        members = [info for info in z.infolist() if info.filename.endswith(".hkl")]
        for info in members:
            if info.file_size > MOST_BYTES:
                raise ExpressionFormatError(
                    f"{path}: {info.filename} says it holds {info.file_size:,} bytes; a drug takes "
                    f"{MOST_BYTES:,} at most."
                )
            place = Path(folder) / "drug.hkl"
            place.write_bytes(z.read(info))
            with h5py.File(place) as file:
                check_hdf5(file, place, ExpressionFormatError)
                found[Path(info.filename).stem] = take_graph(file["data_0"], info.filename)
    if not found:
        raise ExpressionFormatError(f"{path}: no .hkl in it, so there are no drug graphs.")
    return found


def take_graph(group, name: str) -> DrugGraph:
    """The graph of an open group of hickle's."""
    features = np.asarray(group["data_0"][()], np.float32)
    stored, atoms = group["data_1"], range(len(features))
    is_table = hasattr(stored, "shape")  # so where all atoms have as many neighbours
    rows = [stored[atom] if is_table else stored[f"data_{atom}"] for atom in atoms]
    empty = np.zeros(0, int)  # an atom without bonds is a group of nothing
    neighbours = [x if is_table else x[()] if hasattr(x, "shape") else empty for x in rows]
    bonds = [(atom, int(x)) for atom in atoms for x in np.atleast_1d(neighbours[atom])]
    table = np.array(bonds, np.int32).reshape(-1, 2)
    if features.ndim != 2 or features.shape[1] != FEATURES or (table >= len(features)).any():
        raise ExpressionFormatError(
            f"{name}: features of shape {features.shape} and {len(table):,} bonds are no drug of "
            f"atoms with {FEATURES} features."
        )
    return DrugGraph(features, table)


def build_graphs(smiles: Mapping[str, str]) -> tuple[dict[str, DrugGraph], list[str]]:
    """The graph of each drug by its SMILES, and the drugs whose SMILES RDKit cannot parse.

    Raises:
        ConfigError: RDKit is not installed.
    """
    try:
        from rdkit import Chem, RDLogger
    except ImportError as error:
        raise ConfigError(
            "Drug graphs of SMILES need RDKit, which pip install 'grnjax[chem]' brings (DeepCDR's "
            "folder has stored ones); means and ridge need none: --task.models --task.no-trees."
        ) from error
    RDLogger.DisableLog("rdApp.*")
    found, unread = {}, []
    for name, text in smiles.items():
        molecule = Chem.MolFromSmiles(text)
        if molecule is None or not molecule.GetNumAtoms():
            unread.append(name)
            continue
        features = np.array([describe_atom(atom) for atom in molecule.GetAtoms()], np.float32)
        ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        bonds = np.array([*ends, *(pair[::-1] for pair in ends)], np.int32).reshape(-1, 2)
        found[name] = DrugGraph(features, bonds)
    return found, unread


def describe_atom(atom) -> list[float]:
    """The 75 features of an RDKit atom."""
    from rdkit import Chem

    kinds = Chem.HybridizationType
    hybrids = [kinds.SP, kinds.SP2, kinds.SP3, kinds.SP3D, kinds.SP3D2]
    implicit = atom.GetValence(Chem.ValenceType.IMPLICIT)
    return [
        *one_hot(atom.GetSymbol(), ELEMENTS),
        *one_hot(atom.GetDegree(), list(range(11))),
        *one_hot(implicit, list(range(7))),
        float(atom.GetFormalCharge()),
        float(atom.GetNumRadicalElectrons()),
        *one_hot(atom.GetHybridization(), hybrids),
        float(atom.GetIsAromatic()),
        *one_hot(atom.GetTotalNumHs(), list(range(5))),
    ]


def one_hot(value, known: list) -> list[float]:
    """1 at the place of a value; at the last place if it is none of them."""
    place = known.index(value) if value in known else len(known) - 1
    return [float(at == place) for at in range(len(known))]


def digest_graph(graph: DrugGraph) -> tuple:
    """What two graphs share that differ in the order of their atoms alone.

    Colours of atoms are refined by those of their neighbours, as often as there are atoms at most
    (Weisfeiler and Leman 1968), so that equal digests mean equal for any molecule in practice.
    """
    colours = [hash(tuple(row)) for row in graph.features.tolist()]
    neighbours: list[list[int]] = [[] for _ in colours]
    for one, other in graph.bonds.tolist():
        neighbours[one].append(other)
    for _ in range(min(len(colours), 24)):
        colours = [
            hash((own, tuple(sorted(colours[x] for x in near))))
            for own, near in zip(colours, neighbours, strict=True)
        ]
    return tuple(sorted(colours))
