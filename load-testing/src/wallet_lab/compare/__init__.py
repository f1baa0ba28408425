"""The main job: both architectures under the same loads and faults, repeat by repeat, and one report of it."""
