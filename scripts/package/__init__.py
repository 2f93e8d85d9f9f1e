"""What scripts/release puts into each kind of package."""
