"""The inputs of a run, read for the method that is to use them, or refused."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from grnjax.data.candidates import list_split_tfs
from grnjax.data.edges import take_network
from grnjax.data.expression import DataConfig, Expression
from grnjax.data.expression_features import find_silent, find_varying
from grnjax.data.expression_stream import open_expression
from grnjax.data.genes import build_dataset, mark_tfs
from grnjax.data.names import count_names
from grnjax.data.species import Species
from grnjax.data.tf_lists import find_own_list, list_tfs, read_own_list
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.gather import gather_evidence
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.gt_grn.walk_networks import load_networks
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.tasks.compendium_evidence import ListsConfig, gather_lists, joins_lists
from grnjax.tasks.loading import GeneScope, frame_network, load_dataset, load_embedding
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split

NO_PAIRS = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class Extras:
    """What a method may know beside expression and known edges: fields of a `Problem`."""

    evidence: Sequence[Evidence] = ()
    embedding: np.ndarray | None = None
    networks: Mapping[str, InferredNetwork] = dataclasses.field(default_factory=dict)


def load_genes_and_edges(
    method: MethodConfig,
    expression,
    known,
    tfs,
    data: DataConfig,
    *,
    genes: GeneScope = "measured",
    species: Species = "auto",
    reads_cells: bool = True,
) -> tuple[Dataset, Dataset | None]:
    """What is ranked, and the known edges that judge it if the method learns from none.

    What is ranked are the measured genes. A method that learns may rank all genes of the network
    besides; any other never does, so that known edges cannot change its ranking.

    Args:
        expression: as `read_expression` takes it.
        known: path, or a network as `frame_network` takes it; None where nothing is known.
        tfs: names or the path of a list. By default a method that learns takes the sources of the
            known edges; any other takes the list of human or mouse TFs that comes with grnjax, or,
            where the genes are of neither or this is "all", every gene.
        species: of the genes, which tells whose list that is; by default the method's own setting,
            or how they are written.
        reads_cells: whether anything but the method reads single cells; else expression that is
            large stays in its file, for a method that does not.

    Raises:
        ConfigError: the method learns from known edges, and there are none.
    """
    may_stream = not (method.reads_cells or reads_cells)
    if "labels" in method.READS:
        if known is None:
            raise ConfigError(
                f"{method.name()} learns from known regulation: give --network EDGES, a table of "
                "TFs and their targets, or rank by expression alone, as with --method=grnboost2."
            )
        found = load_dataset(expression, known, tfs, data, genes=genes, may_stream=may_stream)
        return found, None
    if genes == "all":
        raise ConfigError(
            f"{method.name()} ranks measured genes alone; leave out --genes=all or choose another "
            "--method."
        )
    names = None if isinstance(tfs, str) and tfs == "all" else list_tfs(tfs)
    edges, source = None, "network"
    if known is not None:
        edges, source = take_network(frame_network(known), source)
    reference = set(names or ())
    if edges is not None:
        reference |= set(edges["tf"]) | set(edges["target"])
    hints = set() if reference else read_own_list("human") | read_own_list("mouse")
    read = open_expression(expression, data, reference, hints=hints, may_stream=may_stream)
    if tfs is None:
        species = getattr(method, "species", "auto") if species == "auto" else species
        names = find_own_list(read.genes, str(read.report["source"]), species)
    genes, report = tabulate_genes(read, names)
    if edges is None:
        return Dataset(genes, NO_PAIRS, report), None
    judged = build_dataset(read, edges, tfs=names, universe=read.genes.tolist(), source=source)
    return Dataset(genes, NO_PAIRS, {**report, "network": judged.report}), judged


def load_extras(
    method: MethodConfig,
    dataset: Dataset,
    data: DataConfig,
    *,
    splits: Sequence[Split] | None = None,
    evidence: Sequence[str] = (),
    walk_on: Sequence[str | Path] = (),
    drop_held_out: bool = False,
    lists: ListsConfig | None = None,
    species: Species = "auto",
    set_name: str = "",
) -> Extras:
    """Evidence, frozen gene vectors and networks to walk on, as far as the method reads them.

    Args:
        data: names the file of vectors, which are evidence to a method that reads evidence.
        splits: whose TFs evidence is read for, and whose held-out edges no network may have; by
            default all TFs and all known edges, as in cross-fitting. Only there, where new edges of
            a user's cells are sought, do TFs keep their lists in other cells of the species.
        evidence: a folder, or KIND=PATH each (`read_blocks`).
        walk_on: edge tables made elsewhere.
        drop_held_out: whether held-out pairs are taken out of them.
        lists: of other cells, which join the evidence of a method that learns; None for none.
        species: what the genes are of, for these lists.
        set_name: of a benchmark set, whose cell type is left out of them.

    Raises:
        ConfigError: the method does not read one that is given.
    """
    reads_evidence = "evidence" in method.READS
    given = {
        "evidence": evidence,
        "embedding": data.embedding is not None and not reads_evidence,
        "networks": walk_on,
    }
    method.refuse_unread([name for name, value in given.items() if value])
    if drop_held_out and not walk_on:
        raise ConfigError("--drop-held-out takes pairs out of --walk-on, and none are given.")
    if lists not in (None, ListsConfig()) and not joins_lists(method):
        raise ConfigError(
            f"--lists says which lists of other cells join the evidence, and {method.name()} reads "
            "none; leave it out, or take --method=kernel-factor."
        )
    genes, found, embedding = dataset.genes, [], None
    if reads_evidence:
        tfs = genes.tfs if splits is None else list_split_tfs(splits)
        keep_own = splits is None
        found = gather_evidence(dataset, evidence, data.embedding, tfs=tfs, keep_own=keep_own)
        if lists is not None and joins_lists(method):
            about = {"species": species, "set_name": set_name, "splits": splits or ()}
            found += gather_lists(dataset, tfs, lists, keep_own=keep_own, **about)
    elif data.embedding is not None:
        embedding = load_embedding(data, dataset)
    if splits is None:
        splits = [Split(NO_PAIRS, NO_PAIRS, NO_PAIRS, "cross-fitted", 0)]
    networks = load_networks(walk_on, dataset, splits, without_held_out=drop_held_out)
    return Extras(found, embedding, networks)


def tabulate_genes(expression: Expression, tfs: list[str] | None) -> tuple[GeneTable, dict]:
    """The measured genes as a table; every one may regulate unless `tfs` names those that may.

    The report counts and names the genes that no method can say anything about.
    """
    names, source = expression.genes, expression.report["source"]
    report = {
        "source": source,
        "genes": len(names),
        "cells": len(expression.values),
        "expression": expression.report,
    }
    is_tf = np.ones(len(names), bool)
    if tfs is not None:
        is_tf = mark_tfs(tfs, np.empty((0, 2), np.int64), names, source, report)
    report["tfs"] = int(is_tf.sum())
    measured = np.ones(len(names), bool)
    genes = GeneTable(names, is_tf, expression.values, measured, expression.cells)
    is_silent, varies = find_silent(genes), find_varying(genes)
    is_constant = ~is_silent & ~varies
    report["without_expression"] = count_names(names[is_silent])
    report["constant"] = count_names(names[is_constant])
    meanings = {
        "tfs_not_found": "TFs of the list that were not measured",
        "without_expression": "genes without expression in any cell, not ranked",
        "constant": "genes of the same expression in every cell, not ranked",
    }
    for key, meaning in meanings.items():
        count, first = report.get(key, {"count": 0, "first": []}).values()
        if count:
            logger.warning(f"{source}: {count:,} {meaning}: {', '.join(first)}")
    if varies.sum() < 2 or not varies[is_tf].any():
        raise GeneMismatchError(
            f"{source}: of {len(names):,} genes {varies.sum():,} differ between cells, "
            f"{varies[is_tf].sum():,} of them TFs; a network needs a TF and a target that "
            "do. Give more cells or another TF list."
        )
    return genes, report
