"""Write, audit, publish: staging, the audit of the staged rows, and the commit."""
