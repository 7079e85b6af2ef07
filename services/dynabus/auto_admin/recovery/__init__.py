"""Partitions whose log lost records (I9): frozen, and recovered into a successor."""
