"""Readers and the simulator: files in, genes and labelled pairs out."""
