"""Enhancer-driven networks from expression, accessibility and motifs."""
