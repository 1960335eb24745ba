-- name: claim
-- Takes leases on what is due, the longest due first, and tells when this request will find something next.
-- Rows that nobody holds are read from their partial index kind by kind: the backlog of a workflow or queue
-- that this worker doesn't serve costs it one look at the index, not a look at each row. Where several kinds
-- are served, `reach` tells how far into them this claim will get, so that no more rows are locked than are
-- taken. Rows that another claim has just locked are skipped. What comes next is behind the last row taken.
WITH RECURSIVE clock AS MATERIALIZED (
  SELECT coalesce($8::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
kinds AS (
  (SELECT workflow, queue FROM aw_executions
    WHERE lease_until IS NULL AND due_at IS NOT NULL ORDER BY workflow, queue LIMIT 1)
  UNION ALL
  SELECT n.workflow, n.queue FROM kinds k CROSS JOIN LATERAL (
    SELECT e.workflow, e.queue FROM aw_executions e
     WHERE e.lease_until IS NULL AND e.due_at IS NOT NULL AND (e.workflow, e.queue) > (k.workflow, k.queue)
     ORDER BY e.workflow, e.queue LIMIT 1) n),
served AS MATERIALIZED (
  SELECT workflow, queue FROM kinds
   WHERE ($5::text[] IS NULL OR workflow = ANY ($5::text[])) AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))),
reach AS MATERIALIZED (
  SELECT r.due_at, r.id FROM served s CROSS JOIN LATERAL (
    SELECT e.due_at, e.id FROM aw_executions e
     WHERE e.workflow = s.workflow AND e.queue = s.queue AND e.lease_until IS NULL AND e.due_at IS NOT NULL
       AND e.due_at <= (SELECT now FROM clock) AND e.format <= $4::int
       AND ($7::text[] IS NULL OR e.state <> 'blocked' OR e.plan <> ALL ($7::text[]))
     ORDER BY e.due_at, e.id LIMIT $2::bigint) r
   WHERE (SELECT count(*) FROM served) > 1
   ORDER BY r.due_at, r.id OFFSET greatest($2::bigint - 1, 0) LIMIT 1),
fresh AS MATERIALIZED (
  SELECT f.id, f.at FROM served s CROSS JOIN LATERAL (
    SELECT e.id, e.due_at AS at FROM aw_executions e
     WHERE e.workflow = s.workflow AND e.queue = s.queue AND e.lease_until IS NULL AND e.due_at IS NOT NULL
       AND e.due_at <= (SELECT now FROM clock) AND e.format <= $4::int
       AND (e.due_at, e.id) <= (coalesce((SELECT due_at FROM reach), 9223372036854775807),
                                coalesce((SELECT id FROM reach), ''))
       AND ($7::text[] IS NULL OR e.state <> 'blocked' OR e.plan <> ALL ($7::text[]))
     ORDER BY e.due_at, e.id LIMIT $2::bigint FOR UPDATE SKIP LOCKED) f),
lapsed AS MATERIALIZED (
  SELECT id, lease_until AS at FROM aw_executions
   WHERE lease_until IS NOT NULL AND lease_until <= (SELECT now FROM clock) AND format <= $4::int
     AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
     AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
     AND ($7::text[] IS NULL OR state <> 'blocked' OR plan <> ALL ($7::text[]))
   ORDER BY lease_until, id LIMIT $2::bigint FOR UPDATE SKIP LOCKED),
due AS MATERIALIZED (
  SELECT id, at, held FROM (
    SELECT id, at, false AS held FROM fresh UNION ALL SELECT id, at, true FROM lapsed) both_sorts
   ORDER BY at, id LIMIT $2::bigint),
taken AS (
  UPDATE aw_executions e
     SET token = e.token + 1, lease_owner = $1::text, lease_until = (SELECT now FROM clock) + $3::bigint
    FROM due d WHERE e.id = d.id
  RETURNING e.id, e.token, d.at)
SELECT id, token, at FROM taken
UNION ALL
SELECT NULL, (SELECT now FROM clock), least(
  CASE WHEN EXISTS (SELECT FROM due) THEN (SELECT now FROM clock) + $3::bigint END,
  (SELECT min(n.due_at) FROM served s CROSS JOIN LATERAL (
    SELECT e.due_at FROM aw_executions e
     WHERE e.workflow = s.workflow AND e.queue = s.queue AND e.lease_until IS NULL AND e.due_at IS NOT NULL
       AND e.format <= $4::int
       AND (e.due_at, e.id) > (
         coalesce((SELECT at FROM due WHERE NOT held ORDER BY at DESC, id DESC LIMIT 1), -9223372036854775808),
         coalesce((SELECT id FROM due WHERE NOT held ORDER BY at DESC, id DESC LIMIT 1), ''))
       AND ($7::text[] IS NULL OR e.state <> 'blocked' OR e.plan <> ALL ($7::text[]))
     ORDER BY e.due_at, e.id LIMIT 1) n),
  (SELECT lease_until FROM aw_executions
    WHERE lease_until IS NOT NULL AND format <= $4::int
      AND (lease_until, id) > (
        coalesce((SELECT at FROM due WHERE held ORDER BY at DESC, id DESC LIMIT 1), -9223372036854775808),
        coalesce((SELECT id FROM due WHERE held ORDER BY at DESC, id DESC LIMIT 1), ''))
      AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
      AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
      AND ($7::text[] IS NULL OR state <> 'blocked' OR plan <> ALL ($7::text[]))
    ORDER BY lease_until, id LIMIT 1));

-- name: renew
-- Prolongs leases that are still held with their token. The token is a column of the batch, never a constant:
-- statistics of a moment when no row had it would make the planner start from the table.
WITH batch AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(id text, token bigint)),
held AS (
  UPDATE aw_executions e
     SET lease_until = coalesce($3::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
                       + $2::bigint
    FROM batch t WHERE e.id = t.id AND e.token = t.token AND e.lease_until IS NOT NULL
  RETURNING e.id, e.token, e.revision)
SELECT id, token, revision FROM held;

-- name: release
-- Gives leases up that are still held; each row is due as its owner says, and others are told.
WITH batch AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(id text, token bigint, due_at bigint)),
given_up AS (
  UPDATE aw_executions e SET due_at = t.due_at, lease_owner = NULL, lease_until = NULL
    FROM batch t WHERE e.id = t.id AND e.token = t.token AND e.lease_until IS NOT NULL
  RETURNING e.due_at)
SELECT pg_notify($2::text, $3::text)
  FROM (SELECT FROM given_up WHERE due_at IS NOT NULL LIMIT 1) something;

-- name: postpone
-- Rows that can't be read are looked at again later, so that they hold up no others.
UPDATE aw_executions e SET due_at = $2::bigint, lease_owner = NULL, lease_until = NULL
  FROM jsonb_array_elements_text($1::jsonb) AS w(id) WHERE e.id = w.id;
