"""Tests of the compose files and of both stacks on Docker."""
