"""The model: loading, chat format, sites, spans, padding, caches, hooks into its modules. Writes no text and knows of
no experiment."""
