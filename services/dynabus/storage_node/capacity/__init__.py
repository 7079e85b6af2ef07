"""Capacity at the replica: partitions' caps, tables' buckets, and the load that auto-admin is told of."""
