-- name: commit
-- All changes of a batch, each of them whole or not at all, in one statement and one commit.
-- The guards are columns of the batch, not constants, and everything else starts from what the update
-- returned: nothing is ever joined back to the batch. (json, not jsonb: it is read once, and not kept.)
-- A due time is written only to a row that nobody holds, or whose holder gives it up. Others are told at most
-- once, and only if there is something for them: a row came due, ended or got stuck, or it was changed by
-- somebody else than its owner.
WITH batch AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS t(
    id text, revision bigint, token bigint, release boolean, due_at bigint, queue text, state text, active text,
    marks text, seq bigint, started_at bigint, completed_at bigint, steps json, received json, taken json,
    children json)),
moved AS (
  UPDATE aw_executions e
     SET queue = t.queue, state = t.state, active = t.active, marks = t.marks, seq = t.seq,
         started_at = t.started_at, completed_at = t.completed_at, revision = t.revision,
         due_at = CASE WHEN t.release OR t.token IS NULL AND e.lease_until IS NULL THEN t.due_at
                       ELSE e.due_at END,
         lease_owner = CASE WHEN t.release THEN NULL ELSE e.lease_owner END,
         lease_until = CASE WHEN t.release THEN NULL ELSE e.lease_until END
    FROM batch t
   WHERE e.id = t.id AND e.revision = t.revision - 1 AND (t.token IS NULL OR e.token = t.token)
  RETURNING e.id, e.token, t.steps, t.received, t.taken, t.children,
            t.token IS NULL OR e.completed_at IS NOT NULL OR t.children IS NOT NULL
            OR e.state IN ('blocked', 'paused', 'compensation_failed')
            OR e.lease_until IS NULL AND e.due_at IS NOT NULL AS tells),
stepped AS (
  INSERT INTO aw_steps AS old (
    execution_id, name, position, state, seq, attempts, result, patch, error, started_at, finished_at,
    waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story)
  SELECT m.id, s.name, s.position, s.state, s.seq, s.attempts, s.result, s.patch, s.error, s.started_at,
         s.finished_at, s.waiting_since, s.timeout_at, s.correlation_id, s.heartbeat_at, s.heartbeat, s.story
    FROM moved m CROSS JOIN LATERAL json_to_recordset(m.steps) AS s(
      name text, position int, state text, seq bigint, attempts bigint, result text, patch text, error text,
      started_at bigint, finished_at bigint, waiting_since bigint, timeout_at bigint, correlation_id text,
      heartbeat_at bigint, heartbeat text, story text)
   WHERE m.steps IS NOT NULL
  ON CONFLICT (execution_id, name) DO UPDATE SET
    state = excluded.state, seq = excluded.seq, attempts = excluded.attempts, result = excluded.result,
    patch = excluded.patch, error = excluded.error, started_at = excluded.started_at,
    finished_at = excluded.finished_at, waiting_since = excluded.waiting_since,
    timeout_at = excluded.timeout_at, correlation_id = excluded.correlation_id, story = excluded.story,
    -- A sign of life that came since the snapshot was taken is kept.
    heartbeat = CASE WHEN old.state = 'waiting' AND excluded.state = 'waiting'
        AND old.waiting_since IS NOT DISTINCT FROM excluded.waiting_since
        AND old.heartbeat_at > coalesce(excluded.heartbeat_at, 0)
      THEN old.heartbeat ELSE excluded.heartbeat END,
    heartbeat_at = CASE WHEN old.state = 'waiting' AND excluded.state = 'waiting'
        AND old.waiting_since IS NOT DISTINCT FROM excluded.waiting_since
        AND old.heartbeat_at > coalesce(excluded.heartbeat_at, 0)
      THEN old.heartbeat_at ELSE excluded.heartbeat_at END),
signalled AS (
  INSERT INTO aw_signals (execution_id, number, name, payload, key, received_at)
  SELECT m.id, g.number, g.name, g.payload, g.key, g.received_at
    FROM moved m CROSS JOIN LATERAL json_to_recordset(m.received) AS g(
      number bigint, name text, payload text, key text, received_at bigint)
   WHERE m.received IS NOT NULL),
taken AS (
  UPDATE aw_signals g SET taken = true
    FROM moved m CROSS JOIN LATERAL json_array_elements_text(m.taken) AS n(number)
   WHERE m.taken IS NOT NULL AND g.execution_id = m.id AND g.number = n.number::bigint),
born AS (
  INSERT INTO aw_executions (
    id, workflow, version, plan, parent_id, key, input, input_hash, tags, created_at, run_at, format, queue,
    state, active, marks, seq, started_at, completed_at, revision, token, due_at)
  SELECT c.id, c.workflow, c.version, c.plan, c.parent_id, c.key, c.input, c.input_hash, c.tags, c.created_at,
         c.run_at, c.format, c.queue, c.state, c.active, c.marks, c.seq, c.started_at, c.completed_at,
         c.revision, c.token, c.due_at
    FROM moved m CROSS JOIN LATERAL json_to_recordset(m.children) AS c(
      id text, workflow text, version text, plan text, parent_id text, key text, input text, input_hash text,
      tags jsonb, created_at bigint, run_at bigint, format int, queue text, state text, active text, marks text,
      seq bigint, started_at bigint, completed_at bigint, revision bigint, token bigint, due_at bigint)
   WHERE m.children IS NOT NULL
  ON CONFLICT (id) DO NOTHING)
SELECT id, token FROM moved
UNION ALL
SELECT NULL, length(pg_notify($2::text, $3::text)::text)
  FROM (SELECT FROM moved WHERE tells LIMIT 1) something;

-- name: touch
-- Signs of life, for steps that really wait: one that is tried again lives in `active`, its row is stale.
-- `active` may hold escapes that jsonb refuses; they are taken out before it is looked into for a name.
WITH batch AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(n bigint, id text, step text, probe text, details text))
UPDATE aw_steps s
   SET heartbeat_at = coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),
       heartbeat = t.details
  FROM batch t
 WHERE s.execution_id = t.id AND s.name = t.step AND s.state = 'waiting'
   AND NOT EXISTS (
     SELECT FROM aw_executions e
      WHERE e.id = t.id AND replace(replace(e.active, '\\', ''), '\u', 'u')::jsonb ? t.probe)
RETURNING t.n;

-- name: prune
-- Terminal executions, the oldest first, with all that belongs to them. A later holder of a key keeps it.
WITH old AS MATERIALIZED (
  SELECT id, key FROM aw_executions WHERE completed_at < $1::bigint
   ORDER BY completed_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED),
stepped AS (DELETE FROM aw_steps s USING old o WHERE s.execution_id = o.id),
signalled AS (DELETE FROM aw_signals g USING old o WHERE g.execution_id = o.id),
keyed AS (DELETE FROM aw_keys k USING old o WHERE k.key = o.key AND k.execution_id = o.id),
gone AS (DELETE FROM aw_executions e USING old o WHERE e.id = o.id RETURNING 1)
SELECT count(*) FROM gone;

-- name: lock
-- Holds one execution as it is until the end of the transaction.
SELECT FROM aw_executions WHERE id = $1::text FOR UPDATE;
