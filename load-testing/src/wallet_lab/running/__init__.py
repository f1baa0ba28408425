"""A running stack for programs that measure, break and audit it, native or on Docker."""
