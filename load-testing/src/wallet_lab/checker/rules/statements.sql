-- rule: every statement lists the postings of the books
-- lie: a page that differs in any column, leaves out or repeats a posting, has another order, ends early, or misses an acknowledged one
WITH listable AS (
    SELECT *, row_number() OVER (PARTITION BY account ORDER BY version DESC) AS place,
           row_number() OVER (PARTITION BY account ORDER BY version) AS from_first
    FROM book WHERE amount_micros <> 0 AND account IN (SELECT account FROM answers WHERE operation = 'statement')
), matched AS (
    SELECT i.*, a.account, b.place, b.from_first, b.version IS NOT NULL AS is_right
    FROM statement_items i JOIN answers a USING (call_id)
    LEFT JOIN listable b ON b.account = a.account AND b.version = i.version AND b.transaction_id = i.transaction_id AND b.kind = i.kind
        AND b.amount_micros = i.amount_micros AND b.balance = i.balance_micros AND b.counterparty = i.counterparty AND b.at_us = i.at_us
), pages AS (
    SELECT p.call_id, a.account, a.client, a.sent_us, a.cursor, greatest(a.min_position, a.position) AS position, p.next_cursor, coalesce(a.limit_asked, 50) AS limit_asked,
           count(m.call_id) AS items, count(DISTINCT m.place) AS places, count(DISTINCT m.place - m.number) AS orders, bool_and(m.is_right) AS is_right, min(m.place) AS first_place, max(m.place) AS last_place,
           max(m.version) AS newest, min(m.version) AS oldest, min(m.from_first) AS last_from_first
    FROM statement_pages p JOIN answers a USING (call_id) LEFT JOIN matched m USING (call_id) GROUP BY ALL
), judged AS (
    SELECT p.*, w.low, w.high, e.oldest AS previous_oldest, CASE
        WHEN NOT p.is_right THEN 'an item is not a posting of the wallet'
        WHEN p.items > p.limit_asked THEN 'the page is longer than its limit'
        WHEN p.items > 0 AND (p.last_place - p.first_place + 1 <> p.items OR p.places <> p.items) THEN 'it leaves out or repeats postings'
        WHEN p.orders > 1 THEN 'its postings are not in order, newest first'
        WHEN p.items = 0 AND p.next_cursor IS NOT NULL THEN 'an empty page has a next one'
        WHEN p.items > 0 AND (p.next_cursor IS NULL) <> (p.last_from_first = 1) THEN 'it ends before or after the oldest posting'
        WHEN p.items > 0 AND p.newest > w.high THEN 'it shows a posting that was not sent yet'
        WHEN r.reads = 'fresh' AND p.cursor IS NULL AND EXISTS (
            SELECT 1 FROM listable l WHERE l.account = p.account AND l.version <= w.low AND l.version > coalesce(p.newest, 0))
            THEN 'it misses an acknowledged posting'
        WHEN p.cursor IS NULL AND EXISTS (
            SELECT 1 FROM listable l WHERE l.account = p.account AND l.position <= p.position AND l.version > coalesce(p.newest, 0))
            THEN 'it misses a posting up to the position that was asked for or answered'
        WHEN p.cursor IS NOT NULL AND e.oldest IS NOT NULL AND (p.items = 0 OR p.newest <> (
            SELECT max(l.version) FROM listable l WHERE l.account = p.account AND l.version < e.oldest))
            THEN 'it does not continue the page before'
        END AS fault
    FROM pages p JOIN windows w ON w.call_id = p.call_id AND w.account = p.account
    LEFT JOIN (SELECT account, client, next_cursor, min(oldest) AS oldest FROM pages WHERE next_cursor IS NOT NULL GROUP BY ALL) e
        ON e.account = p.account AND e.client = p.client AND e.next_cursor = p.cursor, run r
)
SELECT j.account, NULL AS transaction_id, j.call_id, concat(s.words, ' with ', j.items, ' items, but ', j.fault) AS sentence
FROM judged j JOIN said s USING (call_id) WHERE j.fault IS NOT NULL
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ', but version ', w.low, ' existed before')
FROM answers a JOIN said s USING (call_id) JOIN windows w USING (call_id), run r
WHERE a.operation = 'statement' AND a.problem = 'wallet-not-found' AND r.reads = 'fresh' AND w.low > 0
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ', but the wallet was opened at position ', b.position, ' and the client asked for ', a.min_position)
FROM answers a JOIN said s USING (call_id) JOIN book b ON b.account = a.account AND b.version = 1
WHERE a.operation = 'statement' AND a.problem = 'wallet-not-found' AND b.position <= a.min_position
UNION ALL
SELECT a.account, NULL, a.call_id, concat(s.words, ' with a body that is not a statement')
FROM answers a JOIN said s USING (call_id)
WHERE a.operation = 'statement' AND a.outcome = 'success' AND NOT EXISTS (SELECT 1 FROM statement_pages p WHERE p.call_id = a.call_id)
