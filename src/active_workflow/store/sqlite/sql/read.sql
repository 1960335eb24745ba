-- name: load
-- Executions by id, as the codec reads them.
SELECT id, plan, key, parent_id, input, input_hash, tags, active, marks, seq, revision, token,
       created_at, run_at, started_at, completed_at, format
  FROM aw_executions WHERE id IN (SELECT value FROM json_each(?));

-- name: load_steps
-- The steps of executions.
SELECT execution_id, name, position, state, seq, attempts, result, patch, error, started_at, finished_at,
       waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story
  FROM aw_steps WHERE execution_id IN (SELECT value FROM json_each(?));

-- name: load_signals
-- The signals that no step has taken yet, in the order they came.
SELECT execution_id, number, name, payload, key, received_at
  FROM aw_signals WHERE execution_id IN (SELECT value FROM json_each(?)) AND taken = 0
 ORDER BY execution_id, number;

-- name: load_plans
-- The bodies of plans.
SELECT hash, body FROM aw_plans WHERE hash IN (SELECT value FROM json_each(?));

-- name: states
-- What a waiter asks for: the state column alone.
SELECT id, state FROM aw_executions WHERE id IN (SELECT value FROM json_each(?));

-- name: lease_of
-- Who holds an execution.
SELECT lease_owner, lease_until FROM aw_executions WHERE id = ? AND lease_until > ?;

-- name: find
-- One page, newest first. Without a filter its parameter is NULL.
SELECT id FROM aw_executions e
 WHERE (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
   AND (:workflow IS NULL OR workflow = :workflow)
   AND (:since IS NULL OR created_at >= :since)
   AND (:after IS NULL OR (created_at, id) < (SELECT created_at, id FROM aw_executions WHERE id = :after))
   AND (:tags IS NULL OR NOT EXISTS (
     SELECT 1 FROM json_each(:tags) w WHERE NOT EXISTS (
       SELECT 1 FROM json_each(e.tags) t WHERE t.key = w.key AND t.value = w.value)))
 ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: find_children
-- The same among the children of one execution, for which there is an index.
SELECT id FROM aw_executions e
 WHERE parent_id = :parent_id
   AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
   AND (:workflow IS NULL OR workflow = :workflow)
   AND (:since IS NULL OR created_at >= :since)
   AND (:after IS NULL OR (created_at, id) < (SELECT created_at, id FROM aw_executions WHERE id = :after))
   AND (:tags IS NULL OR NOT EXISTS (
     SELECT 1 FROM json_each(:tags) w WHERE NOT EXISTS (
       SELECT 1 FROM json_each(e.tags) t WHERE t.key = w.key AND t.value = w.value)))
 ORDER BY created_at DESC, id DESC LIMIT :limit;
