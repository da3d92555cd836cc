"""A rendered inspection job in real data set layouts, and the pictures that show what a detector makes of it."""
