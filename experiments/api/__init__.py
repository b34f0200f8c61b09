"""The Python door: what `import introlab as lab` offers, beside `cli`, the door of the command line.

These modules may import every package; `introlab/__init__.py` names them and imports one when a name of it is used.
"""
