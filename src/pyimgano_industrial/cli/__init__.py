"""The `pyimgano-industrial` commands, also reached as `pyimgano industrial`."""
