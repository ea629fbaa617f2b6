"""Connectors: documents, SQL databases and CRMs as toolsets. Each is its own module; import what you use."""
