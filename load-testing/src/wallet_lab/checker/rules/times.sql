-- rule: times are those of the run
-- lie: a time in the future, before the call, long after the answer, or before the wallet's last change
SELECT b.account, b.transaction_id, NULL AS call_id, concat('version ', b.version, ' of wallet ', b.account, ' has the time ', b.at_us,
       ' us, but the evidence was taken at ', r.taken_us, ' us') AS sentence
FROM book b, run r WHERE b.at_us > r.taken_us + r.clock_skew_us OR b.at_us < 0
UNION ALL
SELECT account, transaction_id, NULL, concat('the time of wallet ', account, ' runs backwards at version ', version, ', from ', before_us,
       ' to ', at_us, ' us') FROM book WHERE at_us < before_us
UNION ALL
SELECT b.account, b.transaction_id, NULL, concat('version ', b.version, ' of wallet ', b.account, ' has the time ', b.at_us,
       ' us, but its call was sent at ', m.earliest_us, ' us',
       CASE WHEN m.latest_us < 9223372036854775807 THEN concat(' and its effect was seen by ', m.latest_us, ' us') END)
FROM book b JOIN moments m USING (account, version), run r
WHERE b.in_run AND (b.at_us < m.earliest_us - r.clock_skew_us
    OR (m.latest_us < 9223372036854775807 AND b.at_us > m.latest_us + r.clock_skew_us))
UNION ALL
-- A posting has the time of its step, except that a wallet's time never decreases.
SELECT b.account, b.transaction_id, NULL, concat('version ', b.version, ' of wallet ', b.account, ' has the time ', b.at_us, ' us, but ',
       CASE WHEN b.amount_micros > 0 AND c.at_us IS NOT NULL THEN concat('its credit step has ', c.at_us)
            ELSE concat('its transfer has ', t.started_us, coalesce(' and ' || t.ended_us, '')) END)
FROM book b JOIN transfers t USING (transaction_id)
LEFT JOIN credits c ON c.transaction_id = b.transaction_id
WHERE EXISTS (SELECT 1 FROM holders WHERE holder <> 'api') -- through the API, a transfer's times are those of its postings
  AND b.at_us <> greatest(coalesce(b.before_us, 0), CASE
    WHEN b.kind = 'refund' THEN t.ended_us
    WHEN b.kind = 'transfer' AND b.amount_micros > 0 AND c.at_us IS NOT NULL THEN c.at_us
    ELSE t.started_us END)
UNION ALL
SELECT t.owner, t.transaction_id, c.call_id, concat(t.kind, ' ', t.transaction_id, ' began at ', t.started_us, ' us',
       coalesce(' and ended at ' || t.ended_us, ''), ', but its call was sent at ', c.earliest_us, coalesce(' and answered at ' || c.latest_us, ''),
       ', and the evidence was taken at ', r.taken_us)
FROM transfers t LEFT JOIN claims c USING (transaction_id), run r
WHERE t.started_us < c.earliest_us - r.clock_skew_us OR t.started_us > coalesce(c.latest_us, r.taken_us) + r.clock_skew_us
   OR t.ended_us < t.started_us OR t.ended_us > r.taken_us + r.clock_skew_us
   OR (t.kind <> 'transfer' AND t.ended_us <> t.started_us)
   OR (t.state = 'refused' AND t.ended_us <> t.started_us)
