-- Selects the log's head, the time, and the running append, if its events may have the time $1.
-- An append first locks the row of the head, which sets the row's xmax to its transaction id. Then it reads the time of
-- its events, so that time is not before the start of its transaction. `now` is before the snapshot of this statement.
-- Therefore an event with an earlier time is committed in this snapshot, or belongs to the running append, which holds
-- the lock on its transaction id until it ends. The statement takes no lock that blocks an append, and no transaction
-- id, because it writes nothing.
SELECT position, statement_timestamp() AS now, CASE WHEN xmax <> '0'::xid AND EXISTS (
    SELECT FROM pg_locks AS running
    WHERE running.locktype = 'transactionid' AND running.transactionid = log_head.xmax AND running.granted
    AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = running.pid AND a.xact_start > $1)
) THEN log_head.xmax END AS appender
FROM log_head
