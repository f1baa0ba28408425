-- How many read shards the events of this log are distributed over, and which of them owns each slot. One row: the
-- migrations write it once, services compare it with their own settings and change nothing.
CREATE TABLE topology (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard integer CHECK (shard IS NULL), -- the log belongs to all shards
    shards integer NOT NULL CHECK (shards > 0),
    owners smallint[] NOT NULL CHECK (cardinality(owners) = 1024),
    CONSTRAINT topology_owners_exist CHECK (0 <= ALL (owners) AND shards > ALL (owners))
);

GRANT SELECT ON topology TO wallet_service;
