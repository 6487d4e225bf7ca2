"""Trained models at rest: what they are, how they are stored, which one is in use."""
