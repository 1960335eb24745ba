-- name: insert_plans
-- A plan's hash says what it is: whoever comes first writes it.
INSERT INTO aw_plans (hash, workflow, body)
SELECT hash, workflow, body FROM json_to_recordset($1::json) AS t(hash text, workflow text, body text)
 ORDER BY hash
ON CONFLICT (hash) DO NOTHING;

-- name: insert
-- New executions with their keys, first steps and signals: all of them, or none if one of the keys is held.
-- An id that exists, or a key that somebody takes at this very moment, is an error of uniqueness; the caller
-- then settles who gets what. Keys are taken in order, so that two batches can't wait for each other.
WITH batch AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS t(
    id text, workflow text, version text, plan text, parent_id text, key text, input text, input_hash text,
    tags jsonb, created_at bigint, run_at bigint, format int, queue text, state text, active text, marks text,
    seq bigint, started_at bigint, completed_at bigint, revision bigint, token bigint, due_at bigint,
    lease_owner text, lease bigint, new_key text, steps json, signals json)),
clock AS MATERIALIZED (
  SELECT coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
held AS MATERIALIZED (
  SELECT 1 FROM batch t JOIN aw_keys k ON k.key = t.new_key LIMIT 1),
keyed AS (
  INSERT INTO aw_keys (key, execution_id)
  SELECT new_key, id FROM batch WHERE new_key IS NOT NULL AND NOT EXISTS (SELECT FROM held) ORDER BY new_key),
put AS (
  INSERT INTO aw_executions (
    id, workflow, version, plan, parent_id, key, input, input_hash, tags, created_at, run_at, format, queue,
    state, active, marks, seq, started_at, completed_at, revision, token, due_at, lease_owner, lease_until)
  SELECT id, workflow, version, plan, parent_id, key, input, input_hash, tags, created_at, run_at, format, queue,
         state, active, marks, seq, started_at, completed_at, revision, token, due_at, lease_owner,
         CASE WHEN lease_owner IS NOT NULL THEN (SELECT now FROM clock) + lease END
    FROM batch WHERE NOT EXISTS (SELECT FROM held)),
stepped AS (
  INSERT INTO aw_steps (
    execution_id, name, position, state, seq, attempts, result, patch, error, started_at, finished_at,
    waiting_since, timeout_at, correlation_id, heartbeat_at, heartbeat, story)
  SELECT t.id, s.name, s.position, s.state, s.seq, s.attempts, s.result, s.patch, s.error, s.started_at,
         s.finished_at, s.waiting_since, s.timeout_at, s.correlation_id, s.heartbeat_at, s.heartbeat, s.story
    FROM batch t CROSS JOIN LATERAL json_to_recordset(t.steps) AS s(
      name text, position int, state text, seq bigint, attempts bigint, result text, patch text, error text,
      started_at bigint, finished_at bigint, waiting_since bigint, timeout_at bigint, correlation_id text,
      heartbeat_at bigint, heartbeat text, story text)
   WHERE NOT EXISTS (SELECT FROM held)),
signalled AS (
  INSERT INTO aw_signals (execution_id, number, name, payload, key, received_at)
  SELECT t.id, g.number, g.name, g.payload, g.key, g.received_at
    FROM batch t CROSS JOIN LATERAL json_to_recordset(t.signals) AS g(
      number bigint, name text, payload text, key text, received_at bigint)
   WHERE NOT EXISTS (SELECT FROM held))
SELECT EXISTS (SELECT FROM held), (
  SELECT pg_notify($3::text, $4::text) FROM batch WHERE due_at IS NOT NULL AND lease_owner IS NULL LIMIT 1)::text;

-- name: existing_ids
-- Which of these ids are taken: repeating an insert of unknown outcome must change nothing.
SELECT e.id FROM jsonb_array_elements_text($1::jsonb) AS w(id) JOIN aw_executions e ON e.id = w.id;

-- name: holders
-- Who holds these idempotency keys, with what has to be compared; kept so until the transaction ends.
SELECT k.key, e.id, e.workflow, e.input_hash, e.state
  FROM aw_keys k JOIN aw_executions e ON e.id = k.execution_id
 WHERE k.key = ANY (SELECT jsonb_array_elements_text($1::jsonb))
 ORDER BY k.key FOR UPDATE OF k;

-- name: take_over
-- Keys whose holders have ended, and give them up.
UPDATE aw_keys k SET execution_id = t.id
  FROM jsonb_to_recordset($1::jsonb) AS t(key text, id text) WHERE k.key = t.key;

-- name: place
-- Which database a connection leads to, and which table of it is ours as that connection sees it.
SELECT current_database()::text, to_regclass($1::text)::oid::bigint;

-- name: stamp
-- When its tables were made, to the microsecond: no other server has the same.
SELECT (extract(epoch FROM applied_at) * 1000000)::bigint FROM aw_migrations WHERE version > 0 ORDER BY version LIMIT 1;

-- name: seen_holders
-- Who holds these keys, in a caller's transaction: it may last, so nobody is locked out.
SELECT k.key, e.id, e.workflow, e.input_hash, e.state
  FROM aw_keys k JOIN aw_executions e ON e.id = k.execution_id
 WHERE k.key = ANY (SELECT jsonb_array_elements_text($1::jsonb));

-- name: take_keys
-- Keys that are free, in order. One that somebody else takes at this moment is waited for, and left to them:
-- an error would end the caller's transaction.
INSERT INTO aw_keys (key, execution_id)
SELECT t.key, t.id FROM jsonb_to_recordset($1::jsonb) AS t(key text, id text) ORDER BY t.key
ON CONFLICT (key) DO NOTHING
RETURNING key;
