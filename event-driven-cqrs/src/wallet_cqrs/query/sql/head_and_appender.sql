-- The log's head, the time, and the transaction that is appending, if its events may have the time $1.
-- Whoever appends locks the row of the head first, which notes its transaction in the row's xmax, and then takes the time
-- of its events, which is therefore not before the start of its transaction. `now` is before the snapshot of this
-- statement: an event with an earlier time is committed in this snapshot, or belongs to that transaction, which holds the
-- lock on its own id until it is over. The statement takes no lock that an append waits for, and no transaction id: it
-- writes nothing.
SELECT position, statement_timestamp() AS now, CASE WHEN xmax <> '0'::xid AND EXISTS (
    SELECT FROM pg_locks AS running
    WHERE running.locktype = 'transactionid' AND running.transactionid = log_head.xmax AND running.granted
    AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = running.pid AND a.xact_start > $1)
) THEN log_head.xmax END AS appender
FROM log_head
