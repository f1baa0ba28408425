-- What each client can conclude from each answer (docs/problems.md).
--   success, pending: done, or will be decided.       refused: decided against, no net effect.
--   invalid, rejected: nothing was decided.           unknown: done or not.
-- After broken connections the HTTP library may send a call twice. Then a rejection is that of the second attempt only.
CREATE TABLE answers AS
SELECT *, CASE
    WHEN status IN (200, 201) THEN 'success'
    WHEN status = 202 THEN 'pending'
    WHEN problem IN ('wallet-not-found', 'transfer-not-found', 'wallet-exists', 'wallet-frozen', 'wallet-closed',
                     'wallet-not-empty', 'currency-mismatch', 'insufficient-funds', 'balance-limit') THEN 'refused'
    WHEN status BETWEEN 400 AND 499 THEN 'invalid'
    WHEN problem IN ('overloaded', 'draining', 'shard-unavailable', 'position-not-reached') AND NOT may_be_resent
        THEN 'rejected'
    ELSE 'unknown'
END AS outcome
FROM calls;

-- The names that the contract allows for accounts.
CREATE MACRO is_name(account) AS
    coalesce(regexp_full_match(account, '[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}') AND account <> 'balanceTransfer', false);

-- A call in words, for sentences.
CREATE VIEW said AS
SELECT call_id, concat(
    'call ', call_id, ' (', operation,
    CASE WHEN amount_micros IS NOT NULL THEN concat(' of ', amount_micros, ' micros ', currency) END,
    CASE WHEN counterparty IS NOT NULL THEN concat(' from ', account, ' to ', counterparty)
         WHEN account <> '' THEN concat(' on ', account) END,
    CASE WHEN transaction_id_asked IS NOT NULL THEN concat(' of ', transaction_id_asked) END,
    CASE WHEN key IS NOT NULL THEN concat(', key ', key) END,
    ', answered ', CASE status WHEN 0 THEN 'nothing' ELSE concat(status, ' ', coalesce(problem, state)) END,
    CASE WHEN transaction_id IS NOT NULL THEN concat(' for ', transaction_id) END, ')'
) AS words
FROM calls;
