"""The kernel-informed factor model: kernels of evidence, and factors of TFs and targets."""
