"""Files that are whole or absent, lines that grow, tensors, versions. Knows of no content; loads no torch."""
