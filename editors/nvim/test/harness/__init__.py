"""Drives real editors: see `editor.py`."""
