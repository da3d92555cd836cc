"""All that needs torch and open_clip; imported by functions of the modules above, on first use."""
