"""Detectors of our own: each in its file or folder, imported when its row is first used."""
