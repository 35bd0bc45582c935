"""Vectors of the cells and genes of an AnnData of any size from a converted model.

    encoder = make_encoder(load_model("checkpoints/geneformer"))
    with open_embedding("cells.h5ad", encoder) as embedding:
        embedded = embedding.run()

Cells are read, tokenised and embedded in chunks of rows. Of a chunk the vectors of its cells are
kept; of genes, sums and counts alone (`pooling.py`). So memory is that of one chunk, of the sums
and, at the end, of the cells' vectors. With a folder, finished chunks are kept there, and a run
that was killed goes on behind the last one, with the same result to the bit on one device. The
devices of a process share each batch; processes, which share the folder, have chunks of their own.
"""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.config import Positive, Settings, Share
from grnjax.data.cell_rows import CellRows, open_rows
from grnjax.data.names import list_names
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.foundation.batch_sizes import choose_batches
from grnjax.foundation.embed_chunks import Progress, share_chunks
from grnjax.foundation.encoders import Encoder
from grnjax.foundation.pooling import GeneMeans, sum_genes
from grnjax.foundation.token_stream import Bucket, TokenBatch, make_buckets
from grnjax.foundation.tokenisers import find_genes, stream_tokens
from grnjax.foundation.vocabulary import LEAST_SHARE, GeneMatch
from grnjax.progress import ProgressBar, logger
from grnjax.training.cluster import finish_together, is_first
from grnjax.training.sharding import DATA, wait_on_cpu

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

MOST_GROUPS = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbedConfig(Settings):
    """Which cells and genes are read, and how many at once."""

    matrix: str | None = None
    """Layer of the AnnData in the place of X; raw is .raw."""
    gene_column: str | None = None
    """Column of .var with the genes; the index, or what clearly has more of the vocabulary."""
    totals: str | None = None
    """Column of .obs with the counts of each cell over all genes, where the matrix holds some."""
    groups: str | None = None
    """Column of .obs with cell types, for means of the genes over the cells of each, too."""
    least_share: Share = LEAST_SHARE
    """Of the smaller list of genes, data or vocabulary, that must match."""
    batch_size: Positive | Literal["auto"] = "auto"
    """Cells of a batch; auto chooses them by the memory at hand and the length of the cells."""
    chunk: Positive = 2048
    """Cells between two savings; with several processes, cells of which each takes every other."""


@dataclasses.dataclass(frozen=True, eq=False)
class GeneVectors:
    """The mean vector of each column of the matrix; NaN where there is none."""

    vectors: Float[np.ndarray, "gene dim"]  # float32
    cells: Int[np.ndarray, " gene"]  # how many the mean is over


@dataclasses.dataclass(frozen=True, eq=False)
class Embedded:
    """What came of it."""

    cells: Float[np.ndarray, "cell dim"]  # float32, NaN for cells that were skipped
    genes: GeneVectors
    groups: dict[str, GeneVectors]  # over the cells of each
    names: list[str]  # of the columns
    report: dict

    def tabulate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Names, vectors and numbers of cells of the genes that have a vector, each name once."""
        first = ~pd.Index(self.names).duplicated()
        own = np.flatnonzero(first & (self.genes.cells > 0))
        return np.array(self.names, str)[own], self.genes.vectors[own], self.genes.cells[own]


@contextlib.contextmanager
def open_embedding(
    source: "str | Path | AnnData",
    encoder: Encoder,
    config: EmbedConfig = EmbedConfig(),
    *,
    orthologues: Mapping[str, str] | None = None,
    name: str = "AnnData object",
) -> Iterator["Embedding"]:
    """The cells of a file or object with the model that is to read them, while the context lasts.

    Args:
        source: as for `data.cell_rows.open_rows`; an .h5ad file stays on disk.
        orthologues: gene of the cells' species -> gene of the model's.
        name: what messages call an object.

    Raises:
        GeneMismatchError: too few of the genes are in the vocabulary.
        ConfigError: a column that is not there, or what `open_rows` refuses.
    """
    with open_rows(source, layer=config.matrix, name=name) as rows:
        match = find_genes(
            rows, encoder.tokeniser, config.gene_column, orthologues, config.least_share
        )
        embedding = Embedding(rows, match, encoder, config)
        embedding.stream((0, 0))  # refuses settings that do not fit before anything is done
        yield embedding


class Embedding:
    """Cells, and the model that is to read them."""

    def __init__(self, rows: CellRows, match: GeneMatch, encoder: Encoder, config: EmbedConfig):
        self.rows, self.match, self.encoder, self.config = rows, match, encoder, config
        self.known, self.slots = np.unique(match.tokens, return_inverse=True)
        tokens = [*encoder.tokeniser.vocabulary.values(), encoder.tokeniser.pad_token]
        self.slot_of = np.full(max(tokens) + 1, -1, np.int32)  # of any token; -1 if not matched
        self.slot_of[self.known] = np.arange(len(self.known))
        self.groups, self.codes = find_groups(rows, config.groups)
        add_up = functools.partial(sum_genes, genes=len(self.known))
        self.sum_genes = add_up if encoder.mesh is None else wait_on_cpu(add_up)
        self.buckets: tuple[Bucket, ...] = ()
        self.choose_buckets({})

    def choose_buckets(self, chosen: Mapping[int, int]) -> None:
        """Lengths of batches, and their cells: as given, as chosen before, or as memory allows."""
        tokeniser, mesh, size = self.encoder.tokeniser, self.encoder.mesh, self.config.batch_size
        lengths = [x.length for x in make_buckets(tokeniser.longest, shortest=tokeniser.shortest)]
        devices = jax.local_devices()[:1] if mesh is None else mesh.devices.ravel().tolist()
        shares = 1 if mesh is None else mesh.shape[DATA]
        if size != "auto":
            chosen = dict.fromkeys(lengths, size)
        elif [*chosen] != lengths:
            most = min(self.config.chunk, max(len(self.rows), 1))
            found = choose_batches(
                self.encoder.model.config, lengths, devices, shares=shares, most_cells=most
            )
            found.tell()
            self.buckets = found.buckets
            return
        self.buckets = tuple(Bucket(x, -(-chosen[x] // shares) * shares) for x in lengths)

    def run(self, folder: Path | None = None) -> Embedded:
        """Embeds the cells that were not embedded before.

        Args:
            folder: keeps what is finished; it belongs to this source, model and settings, which the
                caller sees to (`storage.files.open_run`). All processes see it.

        Raises:
            ExpressionFormatError: values that are not what the settings say, or no cell with enough
                genes.
            ConfigError: several processes without a folder.
        """
        processes, process = jax.process_count(), jax.process_index()
        if folder is None and processes > 1:
            raise ConfigError(f"{processes} processes need a folder that all of them see.")
        width, count = self.measure(), len(self.groups) + 1
        means = [GeneMeans(len(self.known), width[1]) for _ in range(count)]
        progress, total, chunk = Progress(means, folder, process), len(self.rows), self.config.chunk
        progress.restore()
        if progress.batches:
            self.choose_buckets(progress.batches)
        progress.batches = {bucket.length: bucket.cells for bucket in self.buckets}
        todo = share_chunks(-(-total // chunk), progress.finished, processes, process)
        spans = {number: (number * chunk, min((number + 1) * chunk, total)) for number in todo}
        about = f"embedding by {self.encoder.model.name}"
        left = sum(stop - start for start, stop in spans.values())
        with (
            finish_together(),
            ProgressBar(left, about, unit="cell", hidden=not is_first()) as bar,
        ):
            for number, (start, stop) in spans.items():
                progress.keep(number, *self.embed_span((start, stop), means, bar.update))
        progress.gather()
        return self.collect(progress, width[0])

    def stream(self, span: tuple[int, int]):
        """The cells of some rows as batches of tokens."""
        return stream_tokens(
            self.rows,
            self.encoder.tokeniser,
            self.match,
            totals=self.config.totals,
            buckets=self.buckets,
            span=span,
        )

    def measure(self) -> tuple[int, int]:
        """Numbers in the vector of a cell, and of a gene."""
        tokeniser, shape = self.encoder.tokeniser, (1, self.buckets[0].length)
        batch = TokenBatch(
            np.full(shape, tokeniser.pad_token, np.int32),
            np.zeros(shape, np.float32),
            np.zeros(shape, bool),
            np.zeros(1, np.int64),
        )
        inputs = self.encoder.take_inputs(batch)
        form = jax.eval_shape(self.encoder.encode, self.encoder.variables, *inputs)
        return form[0].shape[-1], form[1].shape[-1]

    def embed_span(
        self, span: tuple[int, int], means: list[GeneMeans], tell: Callable[[int], None]
    ) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
        """Rows and vectors of the cells of a chunk and their counts; genes are added to `means`.

        A batch is fetched when the next one has been sent, so that neither side waits.

        Args:
            tell: is told how many more cells are done.
        """
        stream, found, sent = self.stream(span), [], None
        for batch in itertools.chain(stream, [None]):
            now = None if batch is None else self.send(batch)
            if sent is not None:
                found.append(fetch(*sent, means))
                tell(len(found[-1][0]))
            sent = now
        report = {name: count for name, count in stream.report.items() if name != "genes"}
        tell(report.get("skipped", 0))
        if not found:
            return np.zeros(0, np.int64), np.zeros((0, 0), np.float32), report
        cells, vectors = map(np.concatenate, zip(*found))
        order = np.argsort(cells)
        return cells[order], vectors[order], report

    def send(self, batch: TokenBatch) -> tuple:
        """A batch under way: its cells, their vectors, and the sums of genes a group."""
        vectors, states = self.encoder.embed(batch)
        tokens, is_counted = self.encoder.name_tokens(batch)
        slots, is_cell = self.slot_of[tokens], batch.cells >= 0
        is_counted = is_counted & (slots >= 0) & is_cell[:, None]
        codes = np.where(is_cell, self.codes[batch.cells], -1)
        sums = [
            (code, self.sum_genes(states, slots, is_counted & (codes == code)[:, None]))
            for code in np.unique(codes[is_cell]).tolist()
        ]
        return batch.cells, vectors, sums

    def collect(self, progress: Progress, width: int) -> Embedded:
        """The vectors of all cells in their order, and the means of genes a column."""
        cells = np.full((len(self.rows), width), np.nan, np.float32)
        for own, vectors in progress.chunks():
            if len(own):
                cells[own] = vectors
        overall = GeneMeans(len(self.known), progress.means[0].totals.shape[1])
        for mean in progress.means:
            overall.add(mean.totals, mean.counts)
        genes = self.spread(overall)
        groups = {
            name: self.spread(mean) for name, mean in zip(self.groups, progress.means, strict=False)
        }
        report = {"genes": self.match.report, **progress.report}
        report |= {"genes_embedded": int((overall.counts > 0).sum()), "layer": self.encoder.layer}
        report |= {"batches": progress.batches}
        if self.config.groups is not None:
            report["without_group"] = int((self.codes == len(self.groups)).sum())
        if report.get("skipped", 0) == report.get("cells", 0):
            raise ExpressionFormatError(
                f"{self.rows.name}: none of {len(self.rows):,} cells has enough detected genes of "
                f"the {self.match.report['matched']:,} that the model knows. Of scBERT, which asks "
                "for 200, --least-genes sets another number."
            )
        if report["skipped"]:
            logger.warning(
                "%s: %s of %s cells have too few genes of the model, and no vector",
                *(self.rows.name, f"{report['skipped']:,}", f"{report['cells']:,}"),
            )
        names = self.rows.name_genes().tolist()
        return Embedded(cells, genes, groups, names, report)

    def spread(self, mean: GeneMeans) -> GeneVectors:
        """The means of the genes of the vocabulary as those of the columns."""
        vectors = np.full((self.match.genes, mean.totals.shape[1]), np.nan, np.float32)
        cells = np.zeros(self.match.genes, np.int64)
        vectors[self.match.columns] = mean.means()[self.slots]
        cells[self.match.columns] = mean.counts[self.slots]
        vectors[cells == 0] = np.nan
        return GeneVectors(vectors, cells)


def fetch(
    cells: np.ndarray, vectors: jax.Array, sums: list, means: list[GeneMeans]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and vectors of a batch that was sent, whose genes are added up."""
    for code, (totals, counts) in sums:
        means[code].add(totals, counts)
    own = cells >= 0
    return cells[own], np.asarray(vectors, np.float32)[own]


def find_groups(rows: CellRows, column: str | None) -> tuple[list[str], np.ndarray]:
    """The groups of cells by name, and the number of each cell's; one more for cells without.

    Raises:
        ConfigError: there is no such column, or it has too many values to be cell types.
    """
    if column is None:
        return [], np.zeros(len(rows), np.int64)
    if column not in rows.obs:
        raise ConfigError(
            f"{rows.name}: .obs has no column {column!r}; it has "
            f"{list_names(rows.obs.columns) or 'none'}."
        )
    found = pd.Categorical(rows.obs[column].astype("object").map(str, na_action="ignore"))
    names = [name.replace("/", "_") for name in found.categories]  # "/" divides names in HDF5
    if not 0 < len(names) <= MOST_GROUPS:
        raise ConfigError(
            f"{rows.name}: column {column!r} of .obs has {len(names):,} different values; "
            f"1 to {MOST_GROUPS} can be groups, such as cell types."
        )
    if len({*names}) < len(names):
        alike = [str(x) for x in found.categories if names.count(x.replace("/", "_")) > 1]
        raise ConfigError(
            f"{rows.name}: column {column!r} of .obs has groups that differ by / and _ alone, "
            f"{list_names(alike)}, and / divides names in HDF5; rename them."
        )
    return names, np.where(found.codes < 0, len(names), found.codes).astype(np.int64)
