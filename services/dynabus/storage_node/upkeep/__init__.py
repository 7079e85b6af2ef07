"""What is on disk, kept well: checkpoints, scrubs, repair, and restoring after Kafka lost records."""
