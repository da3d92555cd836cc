"""Everything that knows pyimgano: one file a seam, one table of seams, and the finder that applies them."""
