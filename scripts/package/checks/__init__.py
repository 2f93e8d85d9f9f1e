"""What must hold of packages where they are used."""
