"""Write, audit, publish: staging, the audit of the staged rows, the commit."""
