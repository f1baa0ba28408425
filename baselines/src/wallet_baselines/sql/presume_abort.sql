-- Records the decision to abort transfer $1, unless there is a decision.
INSERT INTO decisions (transaction_id, outcome) VALUES ($1, 'abort') ON CONFLICT DO NOTHING
