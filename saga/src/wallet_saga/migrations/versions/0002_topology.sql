-- The topology: the number of this shard, the number of shards, and the shard that owns each slot. The migrations write
-- its one row once. Services compare it with their own settings and never change it.
CREATE TABLE topology (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard integer NOT NULL CHECK (shard >= 0),
    shards integer NOT NULL CHECK (shards > shard),
    owners smallint[] NOT NULL CHECK (cardinality(owners) = 1024),
    CONSTRAINT topology_owners_exist CHECK (0 <= ALL (owners) AND shards > ALL (owners))
);

GRANT SELECT ON topology TO wallet_service;
