-- name: now
-- The store's time.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- name: schema
-- The schema that a table is in, as this connection sees it; nothing where there is no such table.
SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass($1::text);

-- name: load
-- Executions with their steps and the signals that no step has taken: one statement, so all is of one moment.
-- The three kinds of rows have the same shape: nine texts, eight numbers.
WITH wanted AS MATERIALIZED (
  SELECT w.id COLLATE "C" AS id FROM jsonb_array_elements_text($1::jsonb) AS w(id))
SELECT 0, e.id, e.plan, e.key, e.parent_id, e.input, e.input_hash, e.tags::text, e.active, e.marks,
       e.seq, e.revision, e.token, e.created_at, e.run_at, e.started_at, e.completed_at, e.format
  FROM wanted w JOIN aw_executions e ON e.id = w.id
UNION ALL
SELECT 1, s.execution_id, s.name, s.state, s.result, s.patch, s.error, s.correlation_id, s.heartbeat, s.story,
       s.position, s.seq, s.attempts, s.started_at, s.finished_at, s.waiting_since, s.timeout_at,
       s.heartbeat_at
  FROM wanted w JOIN aw_steps s ON s.execution_id = w.id
UNION ALL
SELECT 2, g.execution_id, g.name, g.payload, g.key, NULL, NULL, NULL, NULL, NULL,
       g.number, g.received_at, NULL, NULL, NULL, NULL, NULL, NULL
  FROM wanted w JOIN aw_signals g ON g.execution_id = w.id WHERE NOT g.taken;

-- name: load_plans
-- The bodies of plans.
SELECT p.hash, p.body
  FROM jsonb_array_elements_text($1::jsonb) AS w(hash) JOIN aw_plans p ON p.hash = w.hash;

-- name: states
-- What a waiter asks for: the state column alone.
SELECT e.id, e.state
  FROM jsonb_array_elements_text($1::jsonb) AS w(id) JOIN aw_executions e ON e.id = w.id;

-- name: guards
-- What rows have in place of what refused changes expected.
SELECT e.id, e.revision, e.token
  FROM jsonb_array_elements_text($1::jsonb) AS w(id) JOIN aw_executions e ON e.id = w.id;

-- name: lease_of
-- Who holds an execution.
SELECT lease_owner, lease_until FROM aw_executions
 WHERE id = $1::text
   AND lease_until > coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

-- name: find
-- One page, newest first. A line that ends in `-- if x` is there only when the query has an x, so that each
-- kind of query gets a plan of its own.
SELECT e.id FROM aw_executions e
 WHERE true
   AND e.parent_id = :parent_id::text                                                    -- if parent_id
   AND e.state = ANY (ARRAY(SELECT jsonb_array_elements_text(:states::jsonb)))           -- if states
   AND e.completed_at IS NULL                                                            -- if live
   AND e.workflow = :workflow::text                                                      -- if workflow
   AND e.created_at >= :since::bigint                                                    -- if since
   AND e.tags @> :tags::jsonb                                                            -- if tags
   AND (e.created_at, e.id) < (                                                          -- if after
     SELECT a.created_at, a.id FROM aw_executions a WHERE a.id = :after::text)           -- if after
 ORDER BY e.created_at DESC, e.id DESC LIMIT :limit::bigint;
