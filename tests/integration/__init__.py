"""Whole clusters of real processes over a real Kafka broker, driven through the `dynabus` command and boto3."""
