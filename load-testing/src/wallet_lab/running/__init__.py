"""A stack that is up, as a program uses it: to measure, break and audit it; native or on Docker."""
