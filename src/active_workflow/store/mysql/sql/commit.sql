-- name: advance
-- Changes of executions, all by one statement that goes from row to row of the batch, in the order of ids: so
-- two of them never wait for each other in a circle. A due time is written only to a row that nobody holds, or
-- whose holder gives it up. (The order in which columns are set is the server's own affair: no expression here
-- reads one that another sets to something else.)
UPDATE :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id
   SET e.queue = t.queue, e.state = t.state, e.active = t.active, e.marks = t.marks, e.seq = t.seq,
       e.started_at = t.started_at, e.completed_at = t.completed_at, e.revision = t.revision,
       e.due_at = CASE WHEN t.released OR (t.token IS NULL AND e.lease_until IS NULL) THEN t.due_at
                       ELSE e.due_at END,
       e.lease_owner = CASE WHEN t.released THEN NULL ELSE e.lease_owner END,
       e.lease_until = CASE WHEN t.released THEN NULL ELSE e.lease_until END
 WHERE e.revision = t.revision - 1 AND (t.token IS NULL OR e.token = t.token);

-- name: all_or_nothing
-- Fails unless the statement before it found so many rows: what follows in the same message is then not done.
SET @found = 9223372036854775807 + (ROW_COUNT() <> :count);

-- name: lock_guards
-- What rows have in place of what changes expect, kept so until the transaction ends.
SELECT CONVERT(id USING utf8mb4), revision, token FROM aw_executions FORCE INDEX (PRIMARY)
 WHERE id IN :ids ORDER BY id FOR UPDATE;

-- name: tokens
-- The tokens of rows that were changed by somebody else than their owner.
SELECT CONVERT(id USING utf8mb4), token FROM aw_executions FORCE INDEX (PRIMARY) WHERE id IN :ids;

-- name: put_steps
-- Steps that are over or wait. A sign of life that came since the snapshot was taken is kept: it is looked at
-- before the columns that tell about it are set, for they are set in the order in which they stand here.
INSERT INTO aw_steps (
  execution_id, name, position, state, seq, attempts, result, patch, error, started_at, finished_at,
  waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story)
VALUES :rows
ON DUPLICATE KEY UPDATE
  heartbeat = CASE WHEN aw_steps.state = 'waiting' AND VALUES(state) = 'waiting'
      AND aw_steps.waiting_since <=> VALUES(waiting_since)
      AND aw_steps.heartbeat_at > COALESCE(VALUES(heartbeat_at), 0)
    THEN aw_steps.heartbeat ELSE VALUES(heartbeat) END,
  heartbeat_at = CASE WHEN aw_steps.state = 'waiting' AND VALUES(state) = 'waiting'
      AND aw_steps.waiting_since <=> VALUES(waiting_since)
      AND aw_steps.heartbeat_at > COALESCE(VALUES(heartbeat_at), 0)
    THEN aw_steps.heartbeat_at ELSE VALUES(heartbeat_at) END,
  state = VALUES(state), seq = VALUES(seq), attempts = VALUES(attempts), result = VALUES(result),
  patch = VALUES(patch), error = VALUES(error), started_at = VALUES(started_at),
  finished_at = VALUES(finished_at), waiting_since = VALUES(waiting_since), timeout_at = VALUES(timeout_at),
  correlation_id = VALUES(correlation_id), story = VALUES(story);

-- name: put_signals
-- Signals that no step has taken.
INSERT INTO aw_signals (execution_id, number, name, payload, `key`, received_at) VALUES :rows;

-- name: take_signals
-- Steps took them; they stay as the record.
UPDATE :batch t STRAIGHT_JOIN aw_signals g FORCE INDEX (PRIMARY)
    ON g.execution_id = t.id AND g.number = t.number
   SET g.taken = 1;

-- name: put_children
-- Executions that a change starts; one that is there already is left as it is.
INSERT INTO aw_executions (
  id, workflow, version, plan, parent_id, `key`, input, input_hash, tags, created_at, run_at, format, queue,
  state, active, marks, seq, started_at, completed_at, revision, token, due_at, lease_owner, lease_until)
VALUES :rows
ON DUPLICATE KEY UPDATE revision = aw_executions.revision;

-- name: active_steps
-- Which steps are under way, in executions that are kept as they are until the transaction ends.
SELECT CONVERT(id USING utf8mb4), active FROM aw_executions FORCE INDEX (PRIMARY)
 WHERE id IN :ids ORDER BY id FOR UPDATE;

-- name: touch
-- A sign of life, for a step whose row says that it waits.
UPDATE aw_steps SET heartbeat_at = :now, heartbeat = :details
 WHERE execution_id = :id AND name = :step AND state = 'waiting';

-- name: prunable
-- Terminal executions, the oldest first.
SELECT CONVERT(id USING utf8mb4), CONVERT(`key` USING utf8mb4)
  FROM aw_executions FORCE INDEX (aw_executions_completed)
 WHERE completed_at < :before ORDER BY completed_at, created_at, id LIMIT :limit FOR UPDATE SKIP LOCKED;

-- name: prune_keys
-- The keys of pruned executions. A later holder of a key keeps it.
DELETE k FROM :batch t STRAIGHT_JOIN aw_keys k FORCE INDEX (PRIMARY)
    ON k.`key` = t.held AND k.execution_id = t.id;

-- name: prune_steps
-- The steps of pruned executions.
DELETE s FROM :batch t STRAIGHT_JOIN aw_steps s FORCE INDEX (PRIMARY) ON s.execution_id = t.id;

-- name: prune_signals
-- The signals of pruned executions.
DELETE g FROM :batch t STRAIGHT_JOIN aw_signals g FORCE INDEX (PRIMARY) ON g.execution_id = t.id;

-- name: prune
-- The executions themselves.
DELETE e FROM :batch t STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY) ON e.id = t.id;
