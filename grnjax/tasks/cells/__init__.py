"""What cells are asked for: drug response, drug class, perturbation; one file a task."""
