"""The plugin system: hook specifications, the manager that loads entry points, and our own rows."""
