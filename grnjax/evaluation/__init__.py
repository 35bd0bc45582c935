"""Splits that do not leak, metrics that base rates cannot win, and the tables made of them."""
