-- name: due
-- What may be claimed now, the longest due first: rows nobody holds, then rows whose lease ran out.
-- Both halves read their index in its order and stop at the limit.
SELECT id FROM (
  SELECT id, due_at AS at FROM aw_executions
   WHERE lease_until IS NULL AND due_at IS NOT NULL AND due_at <= :now AND format <= :format
     AND (:workflows IS NULL OR workflow IN (SELECT value FROM json_each(:workflows)))
     AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
     AND (:not_plans IS NULL OR state <> 'blocked' OR plan NOT IN (SELECT value FROM json_each(:not_plans)))
  UNION ALL
  SELECT id, lease_until AS at FROM aw_executions
   WHERE lease_until IS NOT NULL AND lease_until <= :now AND format <= :format
     AND (:workflows IS NULL OR workflow IN (SELECT value FROM json_each(:workflows)))
     AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
     AND (:not_plans IS NULL OR state <> 'blocked' OR plan NOT IN (SELECT value FROM json_each(:not_plans)))
  ORDER BY at, id LIMIT :limit);

-- name: next_due
-- When the next row that such a request may claim is due, or loses its lease.
SELECT min(at) FROM (
  SELECT * FROM (SELECT due_at AS at FROM aw_executions
   WHERE lease_until IS NULL AND due_at IS NOT NULL AND format <= :format
     AND (:workflows IS NULL OR workflow IN (SELECT value FROM json_each(:workflows)))
     AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
     AND (:not_plans IS NULL OR state <> 'blocked' OR plan NOT IN (SELECT value FROM json_each(:not_plans)))
   ORDER BY due_at LIMIT 1)
  UNION ALL
  SELECT * FROM (SELECT lease_until FROM aw_executions
   WHERE lease_until IS NOT NULL AND format <= :format
     AND (:workflows IS NULL OR workflow IN (SELECT value FROM json_each(:workflows)))
     AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
     AND (:not_plans IS NULL OR state <> 'blocked' OR plan NOT IN (SELECT value FROM json_each(:not_plans)))
   ORDER BY lease_until LIMIT 1));

-- name: claim
-- Takes the leases. The token tells this owner from all earlier ones.
UPDATE aw_executions SET token = token + 1, lease_owner = ?, lease_until = ?
 WHERE id IN (SELECT value FROM json_each(?));

-- name: renew
-- Prolongs a lease that is still held with this token.
UPDATE aw_executions SET lease_until = ? WHERE id = ? AND token = ? AND lease_until IS NOT NULL
RETURNING revision;

-- name: revision_of
-- What a lost lease's row has come to.
SELECT revision FROM aw_executions WHERE id = ?;

-- name: release
-- Gives a lease up; the row is due as its owner says.
UPDATE aw_executions SET due_at = ?, lease_owner = NULL, lease_until = NULL
 WHERE id = ? AND token = ? AND lease_until IS NOT NULL;

-- name: postpone
-- A row that can't be read is looked at again later, so that it holds up no others.
UPDATE aw_executions SET due_at = ?, lease_owner = NULL, lease_until = NULL WHERE id = ?;
