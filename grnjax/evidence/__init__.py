"""What is known of genes, of TF-target pairs and of TFs besides the labels: one reader a file.

Each is `read_X(path, names, tfs, *, name) -> Evidence`: `names` are the genes of the run and `tfs`
the gene indices of its TFs, in whose order the arrays come back; `name` is what they are called.
"""
