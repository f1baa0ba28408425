-- Checks of one read shard.

-- check: no projection stands still
SELECT stopped FROM read_model.checkpoint WHERE stopped IS NOT NULL
