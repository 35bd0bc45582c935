"""Networks without labels: ranked by what other cells' lists say of the same TFs."""
