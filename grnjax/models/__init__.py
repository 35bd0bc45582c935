"""Flax modules: graph encoders, edge scorers and the published systems built from them."""
