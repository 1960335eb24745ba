-- name: claim
-- Takes leases on what is due, the longest due first, and tells when this request will find something next.
-- Rows that nobody holds and rows whose lease ran out are read from their two partial indexes in order; rows
-- that another claim has just locked are skipped. What comes next is looked for behind the last row taken.
WITH clock AS MATERIALIZED (
  SELECT coalesce($8::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now),
fresh AS MATERIALIZED (
  SELECT id, due_at AS at FROM aw_executions
   WHERE lease_until IS NULL AND due_at IS NOT NULL AND due_at <= (SELECT now FROM clock) AND format <= $4::int
     AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
     AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
     AND ($7::text[] IS NULL OR plan <> ALL ($7::text[]))
   ORDER BY due_at, id LIMIT $2::bigint FOR UPDATE SKIP LOCKED),
lapsed AS MATERIALIZED (
  SELECT id, lease_until AS at FROM aw_executions
   WHERE lease_until IS NOT NULL AND lease_until <= (SELECT now FROM clock) AND format <= $4::int
     AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
     AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
     AND ($7::text[] IS NULL OR plan <> ALL ($7::text[]))
   ORDER BY lease_until, id LIMIT $2::bigint FOR UPDATE SKIP LOCKED),
due AS MATERIALIZED (
  SELECT id, at, held FROM (
    SELECT id, at, false AS held FROM fresh UNION ALL SELECT id, at, true FROM lapsed) both_kinds
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
  (SELECT due_at FROM aw_executions
    WHERE lease_until IS NULL AND due_at IS NOT NULL AND format <= $4::int
      AND (due_at, id) > (
        coalesce((SELECT at FROM due WHERE NOT held ORDER BY at DESC, id DESC LIMIT 1), -9223372036854775808),
        coalesce((SELECT id FROM due WHERE NOT held ORDER BY at DESC, id DESC LIMIT 1), ''))
      AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
      AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
      AND ($7::text[] IS NULL OR plan <> ALL ($7::text[]))
    ORDER BY due_at, id LIMIT 1),
  (SELECT lease_until FROM aw_executions
    WHERE lease_until IS NOT NULL AND format <= $4::int
      AND (lease_until, id) > (
        coalesce((SELECT at FROM due WHERE held ORDER BY at DESC, id DESC LIMIT 1), -9223372036854775808),
        coalesce((SELECT id FROM due WHERE held ORDER BY at DESC, id DESC LIMIT 1), ''))
      AND ($5::text[] IS NULL OR workflow = ANY ($5::text[]))
      AND ($6::text[] IS NULL OR queue = ANY ($6::text[]))
      AND ($7::text[] IS NULL OR plan <> ALL ($7::text[]))
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
