"""Benchmarks: the database beside the bare floor of what the same Kafka topics take."""
