-- The credit barrier's row of transfer $1.
SELECT transfer_id, reason, at FROM credits WHERE transfer_id = $1
