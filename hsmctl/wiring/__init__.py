"""How the services of one noun are put together, for `bootstrap` alone; adapters are imported when they are needed."""
