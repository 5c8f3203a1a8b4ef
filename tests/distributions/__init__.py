"""What users get: wheels and sdists, installed where nothing of this repository is."""
