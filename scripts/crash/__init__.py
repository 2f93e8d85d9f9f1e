"""What `scripts/crashtest` is made of: one file for each kind of fault, and what they share."""
