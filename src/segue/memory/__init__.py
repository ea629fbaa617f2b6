"""What lasts: checkpoints of threads, and documents with their index."""
