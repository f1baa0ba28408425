-- Selects the checkpoint, the id of its table, and the existing wallets of these accounts, in one snapshot.
SELECT c.position, c.epoch, c.tableoid, c.stopped,
       w.account_id, w.currency, w.status, w.balance_micros, w.version, w.updated_at
FROM checkpoint AS c LEFT JOIN wallets AS w ON w.account_id = ANY($1::text[])
