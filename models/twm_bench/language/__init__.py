"""What the language layer is measured on, and the measures."""
