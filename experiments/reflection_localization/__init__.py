"""Where and how far ahead reconsidering can be read, and whether what is read is used."""
