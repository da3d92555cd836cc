"""What every room stands on: errors, plugin rows, lazy targets, optional imports, image decoding."""
