"""Methods: what each needs, how it fits, and how it scores TF-target pairs."""
