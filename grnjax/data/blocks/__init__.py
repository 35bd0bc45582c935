"""What is known of genes, of TF-target pairs and of TFs besides the labels: one reader a file."""
