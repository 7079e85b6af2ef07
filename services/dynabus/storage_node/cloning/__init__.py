"""Clones of living replicas: who is asked, sending, receiving."""
