"""The data services: TAP over DuckDB with streaming results."""
