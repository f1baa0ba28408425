"""The two backends of a running stack: native processes and Docker containers."""
