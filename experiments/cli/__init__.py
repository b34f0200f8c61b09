"""The command line. A command is one file; none holds what an experiment or a report needs."""
