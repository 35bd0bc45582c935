"""GT-GRN: embeddings of genes that no label enters, and a graph transformer over known edges."""
