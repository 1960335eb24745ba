-- name: insert_plan
-- A plan's hash says what it is: whoever comes first writes it.
INSERT INTO aw_plans (hash, workflow, body) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING;

-- name: take_lock
-- Nothing is changed, but from here on nobody else writes: in a caller's transaction, what is read next stays so.
UPDATE aw_plans SET hash = hash WHERE false;

-- name: existing_ids
-- Which of these ids are taken: repeating an insert of unknown outcome must change nothing.
SELECT id FROM aw_executions WHERE id IN (SELECT value FROM json_each(?));

-- name: holders
-- Who holds these idempotency keys, with what has to be compared.
SELECT k.key, e.id, e.workflow, e.input_hash, e.state
  FROM aw_keys k JOIN aw_executions e ON e.id = k.execution_id
 WHERE k.key IN (SELECT value FROM json_each(?));

-- name: insert_execution
-- A new execution, with or without a first lease.
INSERT INTO aw_executions (
  id, workflow, version, plan, parent_id, key, input, input_hash, tags, created_at, run_at, format,
  queue, state, active, marks, seq, started_at, completed_at, revision, token, due_at, lease_owner, lease_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: hold_key
-- A key's holder; an earlier one has ended and gives it up.
INSERT INTO aw_keys (key, execution_id) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET execution_id = excluded.execution_id;

-- name: advance
-- The owner moves on and keeps its lease: no column of the due or the lease index is touched.
UPDATE aw_executions
   SET queue = ?, state = ?, active = ?, marks = ?, seq = ?, started_at = ?, completed_at = ?, revision = ?
 WHERE id = ? AND revision = ? AND token = ?;

-- name: settle
-- The owner moves on and gives up its lease: now the due time counts.
UPDATE aw_executions
   SET queue = ?, state = ?, active = ?, marks = ?, seq = ?, started_at = ?, completed_at = ?, revision = ?,
       due_at = ?, lease_owner = NULL, lease_until = NULL
 WHERE id = ? AND revision = ? AND token = ?;

-- name: interject
-- Somebody else's change, guarded by the revision alone; while a lease is held its owner keeps the timers.
UPDATE aw_executions
   SET queue = ?, state = ?, active = ?, marks = ?, seq = ?, started_at = ?, completed_at = ?, revision = ?,
       due_at = CASE WHEN lease_until IS NULL THEN ? ELSE due_at END
 WHERE id = ? AND revision = ?
RETURNING token;

-- name: guards
-- What a row has in place of what a refused change expected.
SELECT revision, token FROM aw_executions WHERE id = ?;

-- name: put_step
-- A step that is over or waits. A sign of life that came since the snapshot was taken is kept.
INSERT INTO aw_steps (
  execution_id, name, position, state, seq, attempts, result, patch, error, started_at, finished_at,
  waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (execution_id, name) DO UPDATE SET
  state = excluded.state, seq = excluded.seq, attempts = excluded.attempts, result = excluded.result,
  patch = excluded.patch, error = excluded.error, started_at = excluded.started_at,
  finished_at = excluded.finished_at, waiting_since = excluded.waiting_since,
  timeout_at = excluded.timeout_at, correlation_id = excluded.correlation_id, story = excluded.story,
  heartbeat = CASE WHEN aw_steps.state = 'waiting' AND excluded.state = 'waiting'
      AND aw_steps.waiting_since IS excluded.waiting_since
      AND aw_steps.heartbeat_at > coalesce(excluded.heartbeat_at, 0)
    THEN aw_steps.heartbeat ELSE excluded.heartbeat END,
  heartbeat_at = CASE WHEN aw_steps.state = 'waiting' AND excluded.state = 'waiting'
      AND aw_steps.waiting_since IS excluded.waiting_since
      AND aw_steps.heartbeat_at > coalesce(excluded.heartbeat_at, 0)
    THEN aw_steps.heartbeat_at ELSE excluded.heartbeat_at END;

-- name: put_signal
-- A signal that no step has taken.
INSERT INTO aw_signals (execution_id, number, name, payload, key, received_at) VALUES (?, ?, ?, ?, ?, ?);

-- name: take_signal
-- A step took it; it stays as the record.
UPDATE aw_signals SET taken = 1 WHERE execution_id = ? AND number = ?;

-- name: touch
-- A sign of life, for a step that really waits: one that is tried again lives in `active`, its row is stale.
UPDATE aw_steps SET heartbeat_at = ?, heartbeat = ?
 WHERE execution_id = ? AND name = ? AND state = 'waiting'
   AND NOT EXISTS (
     SELECT 1 FROM aw_executions e, json_each(e.active) a WHERE e.id = execution_id AND a.key = aw_steps.name);

-- name: prune
-- Terminal executions, the oldest first. What belongs to them is deleted in the same transaction.
DELETE FROM aw_executions WHERE id IN (
  SELECT id FROM aw_executions WHERE completed_at < ? ORDER BY completed_at LIMIT ?)
RETURNING id;

-- name: prune_steps
-- The steps of pruned executions.
DELETE FROM aw_steps WHERE execution_id IN (SELECT value FROM json_each(?));

-- name: prune_signals
-- The signals of pruned executions.
DELETE FROM aw_signals WHERE execution_id IN (SELECT value FROM json_each(?));

-- name: held_keys
-- The keys of executions about to be pruned; a later holder of the same key keeps it.
DELETE FROM aw_keys WHERE (key, execution_id) IN (
  SELECT key, id FROM aw_executions WHERE key IS NOT NULL AND id IN (
    SELECT id FROM aw_executions WHERE completed_at < ? ORDER BY completed_at LIMIT ?));
