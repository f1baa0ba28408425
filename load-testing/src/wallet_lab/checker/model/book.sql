-- The fold of the postings, computed here and nowhere else: each wallet after each of its versions.
CREATE TABLE accounts AS
SELECT p.account, max(p.version) AS version, arg_min(coalesce(p.currency, t.currency), p.version) AS currency
FROM postings p LEFT JOIN transfers t ON t.transaction_id = p.transaction_id AND t.kind = 'opening'
GROUP BY p.account;

-- The version of each wallet when the record of calls began. Without a baseline, it follows from the database's times,
-- except for a wallet that a call of the record opened. A call without an answer may have asked for an existing wallet.
CREATE TABLE starts AS
SELECT a.account, CASE
    WHEN (SELECT count(*) FROM baseline) > 0 THEN coalesce(b.version, 0)
    WHEN o.is_certain OR f.at_us >= (SELECT began_us - clock_skew_us FROM run) THEN 0
    ELSE coalesce(h.version, 0)
END AS version
FROM accounts a
LEFT JOIN baseline b USING (account)
LEFT JOIN (SELECT account, bool_or(outcome = 'success') AS is_certain FROM answers
           WHERE operation = 'open' AND outcome IN ('success', 'unknown') GROUP BY account) o USING (account)
LEFT JOIN (SELECT account, min(at_us) AS at_us FROM postings GROUP BY account) f
    ON f.account = a.account AND o.account IS NOT NULL
LEFT JOIN (SELECT account, max(version) AS version FROM postings WHERE at_us < (SELECT began_us FROM run) GROUP BY account) h
    USING (account);

CREATE TABLE book AS
SELECT p.*, a.currency AS wallet_currency, p.version > s.version AS in_run,
       sum(p.amount_micros) OVER wallet AS balance,
       coalesce(last_value(CASE p.kind WHEN 'opening' THEN 'active' WHEN 'unfrozen' THEN 'active'
                                       WHEN 'frozen' THEN 'frozen' WHEN 'closed' THEN 'closed' END IGNORE NULLS)
                OVER wallet, 'absent') AS status_after,
       row_number() OVER wallet AS number,
       lag(p.at_us) OVER wallet AS before_us,
       lead(p.at_us) OVER wallet AS next_us,
       lead(p.position) OVER wallet AS next_position
FROM postings p JOIN accounts a USING (account) JOIN starts s USING (account)
WINDOW wallet AS (PARTITION BY p.account ORDER BY p.version);
