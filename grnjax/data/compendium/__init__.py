"""Networks of cells that somebody has assayed: lists of targets by species, cell type and TF."""
