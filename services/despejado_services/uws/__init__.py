"""Jobs that outlive a request: Universal Worker Service 1.1 (IVOA REC 2016-10-24)."""
