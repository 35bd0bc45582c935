"""What reaches the disk: whole files, digests, run folders, checkpoints that are verified."""
