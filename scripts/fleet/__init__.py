"""What scripts/bench-fleet and scripts/simulate-fleet have in common: a synthetic fleet, and how runs are timed."""
