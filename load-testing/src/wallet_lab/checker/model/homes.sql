-- The shard that owns each account's slot. `slot_of` is the documented hash (docs/decisions/0004-transaction-ids-with-slot.md).
CREATE TABLE homes AS
WITH named AS (
    SELECT account FROM accounts UNION SELECT owner FROM transfers UNION SELECT payee FROM transfers UNION SELECT account FROM wallets
), slots AS (SELECT slot, min(owner) AS owner FROM topology GROUP BY slot)
SELECT n.account, s.owner FROM (SELECT account, slot_of(account) AS slot FROM named) n JOIN slots s USING (slot);
