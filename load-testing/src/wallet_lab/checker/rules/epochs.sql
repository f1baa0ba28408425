-- rule: every follower has the epoch of the log
-- lie: a log that was set back, or a copy that belongs to another history
-- needs: books
SELECT NULL AS account, NULL AS transaction_id, NULL AS call_id, concat('epoch number ', number, ' (', epoch, ') begins after position ', after_position, ' at ', at_us,
       ' us, which does not follow epoch ', before_number) AS sentence
FROM (SELECT *, coalesce(lag(number) OVER o, 0) AS before_number, coalesce(lag(after_position) OVER o, 0) AS before_position, lag(at_us) OVER o AS before_us
      FROM epochs WINDOW o AS (ORDER BY number)), run
WHERE number <> before_number + 1 OR after_position < before_position OR at_us < before_us OR at_us > taken_us + clock_skew_us
   OR after_position > (SELECT max(position) FROM positions WHERE name = 'head') OR (number = 1 AND after_position <> 0)
UNION ALL
SELECT NULL, NULL, NULL, concat(p.name, ' has the epoch ', coalesce(p.epoch, 'none'), ', but the log has ', coalesce(e.epoch, 'none'))
FROM positions p, (SELECT arg_max(epoch, number) AS epoch FROM epochs) e
WHERE (SELECT count(*) FROM epochs) > 0 AND (p.epoch <> e.epoch OR (p.name <> 'relay' AND p.position > 0 AND p.epoch IS NULL))
UNION ALL
SELECT w.account, NULL, NULL, concat(w.holder, ' shows wallet ', w.account, ' of epoch ', w.epoch, ', but the log has ', coalesce(e.epoch, 'none'))
FROM wallets w LEFT JOIN holders h USING (holder), (SELECT arg_max(epoch, number) AS epoch FROM epochs) e, run r
WHERE w.epoch IS DISTINCT FROM e.epoch AND w.epoch IS NOT NULL
  AND NOT coalesce(h.may_be_older AND w.expires_us <= r.taken_us + h.expires_within_us, false)
UNION ALL
SELECT NULL, NULL, NULL, 'the log has positions but no epoch' FROM positions WHERE name = 'head' AND (SELECT count(*) FROM epochs) = 0
UNION ALL
SELECT NULL, NULL, NULL, concat(f.name, ' follows the log, but stores no position') FROM (SELECT DISTINCT database AS name FROM topology WHERE shard IS NOT NULL UNION SELECT 'relay') f
WHERE (SELECT count(*) FROM epochs) > 0 AND NOT EXISTS (SELECT 1 FROM positions p WHERE p.name = f.name)
UNION ALL
SELECT NULL, NULL, NULL, concat(name, ' stores ', count(*), ' positions') FROM positions GROUP BY name HAVING count(*) > 1
UNION ALL
SELECT NULL, NULL, NULL, concat(name, ' stores a position, but nothing of this name follows the log') FROM positions
WHERE name NOT IN ('head', 'relay') AND name NOT IN (SELECT database FROM topology WHERE shard IS NOT NULL)
