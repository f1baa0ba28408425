-- The number of read shards that the log's events are distributed over, and the owner of each slot. The migrations write
-- this row once. Services only compare it with their settings.
CREATE TABLE topology (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard integer CHECK (shard IS NULL), -- the log belongs to all shards
    shards integer NOT NULL CHECK (shards > 0),
    owners smallint[] NOT NULL CHECK (cardinality(owners) = 1024),
    CONSTRAINT topology_owners_exist CHECK (0 <= ALL (owners) AND shards > ALL (owners))
);

GRANT SELECT ON topology TO wallet_service;
