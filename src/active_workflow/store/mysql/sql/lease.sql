-- name: clock
-- The store's time, whatever time zone the session has.
SELECT :now;

-- name: kinds
-- All workflows and queues that there have been.
SELECT CONVERT(workflow USING utf8mb4), CONVERT(queue USING utf8mb4) FROM aw_kinds;

-- name: first_of_kind
-- When the first of a kind may be claimed: one look at the index, whatever the history. Of all kinds together
-- that tells what is due, and when something will be.
SELECT :number, claimable_at FROM aw_executions FORCE INDEX (aw_executions_due)
 WHERE workflow = :workflow AND queue = :queue AND claimable_at IS NOT NULL AND format <= :format
   AND (state <> 'blocked' OR plan NOT IN :not_plans)                                     -- if not_plans
 ORDER BY claimable_at, id LIMIT 1;

-- name: due_of_kind
-- What is due of a kind, the longest due first. What another claim has just locked is skipped; the index leads
-- to these rows and no others, so no others are locked.
SELECT claimable_at, CONVERT(id USING utf8mb4) FROM aw_executions FORCE INDEX (aw_executions_due)
 WHERE workflow = :workflow AND queue = :queue AND claimable_at <= :now AND format <= :format
   AND (state <> 'blocked' OR plan NOT IN :not_plans)                                     -- if not_plans
 ORDER BY claimable_at, id LIMIT :limit FOR UPDATE SKIP LOCKED;

-- name: take
-- Takes the leases of rows that this transaction has locked. The token tells this owner from all earlier ones.
UPDATE :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id
   SET e.token = e.token + 1, e.lease_owner = :owner, e.lease_until = :until;

-- name: renew
-- Prolongs leases that are still held with their token.
UPDATE :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id
   SET e.lease_until = :now + :lease
 WHERE e.token = t.token AND e.lease_until IS NOT NULL;

-- name: held
-- What rows have: a lease that is held now was held, and prolonged, before.
SELECT CONVERT(id USING utf8mb4), token, revision, lease_until IS NOT NULL
  FROM aw_executions FORCE INDEX (PRIMARY) WHERE id IN :ids;

-- name: release
-- Gives leases up that are still held; each row is due as its owner says.
UPDATE :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id
   SET e.due_at = t.due_at, e.lease_owner = NULL, e.lease_until = NULL
 WHERE e.token = t.token AND e.lease_until IS NOT NULL;

-- name: postpone
-- Rows that can't be read are looked at again later, so that they hold up no others.
UPDATE :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id
   SET e.due_at = :until, e.lease_owner = NULL, e.lease_until = NULL;
