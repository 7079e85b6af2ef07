"""Splits: asked for or due by size, heat or throughput, and when a parent may be sealed."""
