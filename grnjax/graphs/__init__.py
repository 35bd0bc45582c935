"""Networks as padded jraph graphs, and sums over their neighbourhoods."""
