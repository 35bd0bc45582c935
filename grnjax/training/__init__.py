"""Losses, the training loop and studies over seeds and draws."""
