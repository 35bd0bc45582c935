"""Rows that every result is judged beside: trivial ones first, then other people's methods."""
