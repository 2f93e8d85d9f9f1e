"""What scripts/measure-reads and scripts/measure-memory have in common."""
