"""Single-cell foundation models: their published files read, converted and run in Flax."""
