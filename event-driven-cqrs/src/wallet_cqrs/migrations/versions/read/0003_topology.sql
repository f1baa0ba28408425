-- The number of this read shard, the number of all read shards, and the owner of each slot. The migrations write this row
-- once. Services only compare it with their settings.
CREATE TABLE public.topology (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shard integer NOT NULL CHECK (shard >= 0),
    shards integer NOT NULL CHECK (shards > shard),
    owners smallint[] NOT NULL CHECK (cardinality(owners) = 1024),
    CONSTRAINT topology_owners_exist CHECK (0 <= ALL (owners) AND shards > ALL (owners))
);

GRANT SELECT ON public.topology TO wallet_service;
