-- The relations of the checker from what the API shows: api_wallets, api_items and api_transfers.
-- Versions that no statement lists are openings with balance 0 and changes of status. Statuses alternate, so the kind of
-- each change follows from its place; `closed` can only be the last one.
CREATE OR REPLACE TEMP TABLE api_unlisted AS
WITH bounds AS ( -- a wallet whose version is beyond all that can have happened must not fill the memory
    SELECT w.account, w.status, w.version, w.updated_us,
           least(w.version, (SELECT count(*) FROM api_items i WHERE i.account = w.account)
               + (SELECT count(*) FROM calls c WHERE c.account = w.account) + 1) AS last
    FROM api_wallets w
), missing AS (
    SELECT b.account, b.status, b.updated_us, v.version, v.version = b.version AS is_last
    FROM bounds b, LATERAL (SELECT unnest(range(1, b.last + 1)) AS version) v
    ANTI JOIN api_items i ON i.account = b.account AND i.version = v.version
), numbered AS (
    SELECT *, count(*) FILTER (WHERE version > 1) OVER (PARTITION BY account ORDER BY version) AS number FROM missing
), kinds AS (
    SELECT *, CASE WHEN version = 1 THEN 'opening' WHEN is_last AND status = 'closed' THEN 'closed'
                   WHEN number % 2 = 1 THEN 'frozen' ELSE 'unfrozen' END AS kind
    FROM numbered
), answered AS (
    SELECT answered_account AS account, version, min(updated_us) AS updated_us,
           min(transaction_id) FILTER (WHERE operation = 'open') AS transaction_id
    FROM calls WHERE status IN (200, 201) AND version IS NOT NULL GROUP BY ALL
), sent AS ( -- the moment of a change that no answer shows is not known: not before its call, nor before the last posting
    SELECT account, CASE operation WHEN 'freeze' THEN 'frozen' WHEN 'unfreeze' THEN 'unfrozen' WHEN 'close' THEN 'closed'
                                   WHEN 'open' THEN 'opening' END AS kind, min(sent_us) AS sent_us
    FROM calls WHERE operation IN ('freeze', 'unfreeze', 'close', 'open') AND (status = 0 OR status >= 500) GROUP BY ALL
)
SELECT k.account, k.version, k.kind, CASE k.kind WHEN 'opening' THEN coalesce(a.transaction_id, 'opening of ' || k.account) END AS transaction_id,
       coalesce(CASE WHEN k.is_last THEN k.updated_us END, a.updated_us, greatest(
           coalesce((SELECT max(at_us) FROM api_items i WHERE i.account = k.account AND i.version < k.version), 0),
           coalesce(s.sent_us, 0))) AS at_us,
       coalesce((SELECT arg_max(balance_micros, i.version) FROM api_items i WHERE i.account = k.account AND i.version < k.version), 0) AS balance_micros
FROM kinds k LEFT JOIN answered a USING (account, version) LEFT JOIN sent s USING (account, kind);

INSERT INTO holders VALUES ('api', true, true, false, NULL, false, 'currency status updated_us');

INSERT INTO wallets BY NAME
SELECT 'api' AS holder, account, currency, status, balance_micros, version, updated_us FROM api_wallets;

INSERT INTO postings BY NAME
SELECT account, version, kind, transaction_id, amount_micros, counterparty, balance_micros, at_us FROM api_items
UNION ALL BY NAME
SELECT account, version, kind, transaction_id, 0 AS amount_micros, CASE kind WHEN 'opening' THEN '@external' END AS counterparty,
       balance_micros, at_us FROM api_unlisted;

-- A transfer is read from one side of it, so that the rules find a side that is missing, doubled or different.
CREATE OR REPLACE TEMP TABLE api_moved AS
WITH sides AS (
    SELECT transaction_id, kind, account, counterparty, amount_micros, at_us,
           row_number() OVER (PARTITION BY transaction_id ORDER BY kind = 'refund', amount_micros, account, version) AS place,
           min(at_us) OVER same AS started_us, max(at_us) OVER same AS ended_us,
           bool_or(kind = 'refund') OVER same AS is_refunded, count(DISTINCT sign(amount_micros)) OVER same AS signs
    FROM postings WHERE transaction_id IS NOT NULL WINDOW same AS (PARTITION BY transaction_id)
)
SELECT s.transaction_id, s.kind,
       CASE WHEN s.kind IN ('opening', 'deposit') THEN '@external' WHEN s.amount_micros < 0 THEN s.account ELSE s.counterparty END AS payer,
       CASE WHEN s.kind = 'withdrawal' THEN '@external' WHEN s.amount_micros < 0 THEN s.counterparty ELSE s.account END AS payee,
       abs(s.amount_micros) AS amount_micros, w.currency, s.started_us, CASE s.kind WHEN 'transfer' THEN s.ended_us ELSE s.started_us END AS ended_us,
       CASE WHEN s.is_refunded THEN 'refunded' WHEN s.kind = 'transfer' AND s.signs < 2 AND l.status = 'pending' THEN 'pending'
            ELSE 'completed' END AS state,
       CASE WHEN s.is_refunded THEN l.reason END AS reason
FROM sides s JOIN api_wallets w USING (account) LEFT JOIN api_transfers l USING (transaction_id) WHERE s.place = 1
UNION ALL -- refused ones, and those that are answered but in no statement
SELECT l.transaction_id, coalesce(c.kind, 'transfer'), l.payer, l.payee, l.amount_micros, l.currency, l.started_us,
       CASE l.status WHEN 'refused' THEN l.started_us ELSE l.ended_us END,
       CASE l.status WHEN 'success' THEN 'completed' ELSE l.status END, l.reason
FROM api_transfers l
LEFT JOIN (SELECT transaction_id, min(CASE operation WHEN 'open' THEN 'opening' WHEN 'withdraw' THEN 'withdrawal' ELSE operation END) AS kind
           FROM calls WHERE operation IN ('open', 'withdraw', 'deposit', 'transfer') GROUP BY transaction_id) c USING (transaction_id)
ANTI JOIN postings p ON p.transaction_id = l.transaction_id;

-- The API does not show keys. A key belongs to the transaction that its calls were answered with; else, to the n-th
-- unclaimed transaction with its meaning.
CREATE OR REPLACE TEMP TABLE api_keys AS
WITH meant AS (
    SELECT account AS owner, key, transaction_id, sent_us, status, problem, operation,
           CASE operation WHEN 'open' THEN 'opening' WHEN 'withdraw' THEN 'withdrawal' ELSE operation END AS kind,
           CASE WHEN operation IN ('transfer', 'withdraw') THEN account ELSE '@external' END AS payer,
           CASE operation WHEN 'transfer' THEN counterparty WHEN 'withdraw' THEN '@external' ELSE account END AS payee,
           coalesce(amount_micros, 0) AS amount_micros, currency
    FROM calls WHERE operation IN ('open', 'withdraw', 'deposit', 'transfer')
), answered AS (
    SELECT transaction_id, min(key) AS key FROM meant
    WHERE key IS NOT NULL AND transaction_id IS NOT NULL AND problem IS DISTINCT FROM 'idempotency-key-reused' GROUP BY transaction_id
), unanswered AS (
    SELECT key, kind, payer, payee, amount_micros, currency, min(sent_us) AS sent_us
    FROM meant m WHERE key IS NOT NULL AND (status = 0 OR status >= 500)
      AND NOT EXISTS (SELECT 1 FROM meant o WHERE o.owner = m.owner AND o.key = m.key AND o.transaction_id IS NOT NULL)
    GROUP BY ALL
), loose AS (
    SELECT *, row_number() OVER (PARTITION BY kind, payer, payee, amount_micros, currency ORDER BY sent_us) AS nth FROM unanswered
), unclaimed AS (
    SELECT transaction_id, kind, payer, payee, amount_micros, currency,
           row_number() OVER (PARTITION BY kind, payer, payee, amount_micros, currency ORDER BY started_us) AS nth
    FROM api_moved t WHERE started_us >= (SELECT min(sent_us) - 500000 FROM calls)
      AND NOT EXISTS (SELECT 1 FROM meant m WHERE m.transaction_id = t.transaction_id)
)
SELECT transaction_id, key FROM answered
UNION ALL
SELECT transaction_id, key FROM loose JOIN unclaimed USING (kind, payer, payee, amount_micros, currency, nth);

INSERT INTO transfers BY NAME
SELECT t.transaction_id, t.kind, t.payer, t.payee, t.amount_micros, t.currency, t.state, t.reason,
       CASE WHEN t.kind IN ('transfer', 'withdrawal') THEN t.payer ELSE t.payee END AS owner, k.key,
       -- The API shows no fingerprint, so this one is computed from the meaning.
       CASE WHEN k.key IS NOT NULL THEN api_fingerprint(t.kind, CASE t.kind WHEN 'transfer' THEN t.payee ELSE '' END, t.amount_micros, t.currency)
            END AS fingerprint,
       t.started_us, t.ended_us
FROM api_moved t LEFT JOIN api_keys k USING (transaction_id);
