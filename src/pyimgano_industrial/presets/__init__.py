"""Image steps, chains of them, the camera profile and drift."""
