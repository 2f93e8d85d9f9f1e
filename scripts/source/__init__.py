"""What scripts/circles and scripts/figures read from the workspace's Rust files."""
