-- Returns the row of transfer $1 in the credit barrier.
SELECT transfer_id, reason, at FROM credits WHERE transfer_id = $1
