"""What a run found, for people: a few lines for the screen, and one HTML file to open anywhere."""
