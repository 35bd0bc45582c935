"""What users run: data in, fits, judged results out."""
