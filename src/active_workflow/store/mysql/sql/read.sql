-- name: load
-- Executions with their steps and the signals that no step has taken: one statement, so all is of one moment.
-- The three kinds of rows have the same shape: nine texts, eight numbers.
SELECT 0, CONVERT(e.id USING utf8mb4), CONVERT(e.plan USING utf8mb4), CONVERT(e.`key` USING utf8mb4),
       CONVERT(e.parent_id USING utf8mb4), e.input, e.input_hash, e.tags, e.active, e.marks,
       e.seq, e.revision, e.token, e.created_at, e.run_at, e.started_at, e.completed_at, e.format
  FROM aw_executions e FORCE INDEX (PRIMARY) WHERE e.id IN :ids
UNION ALL
SELECT 1, CONVERT(s.execution_id USING utf8mb4), CONVERT(s.name USING utf8mb4), CONVERT(s.state USING utf8mb4),
       s.result, s.patch, s.error, s.correlation_id, s.heartbeat, s.story,
       s.position, s.seq, s.attempts, s.started_at, s.finished_at, s.waiting_since, s.timeout_at,
       s.heartbeat_at
  FROM aw_steps s FORCE INDEX (PRIMARY) WHERE s.execution_id IN :ids
UNION ALL
SELECT 2, CONVERT(g.execution_id USING utf8mb4), CONVERT(g.name USING utf8mb4), g.payload, g.`key`,
       NULL, NULL, NULL, NULL, NULL,
       g.number, g.received_at, NULL, NULL, NULL, NULL, NULL, NULL
  FROM aw_signals g FORCE INDEX (PRIMARY) WHERE g.execution_id IN :ids AND g.taken = 0;

-- name: load_plans
-- The bodies of plans.
SELECT CONVERT(hash USING utf8mb4), body FROM aw_plans WHERE hash IN :hashes;

-- name: states
-- What a waiter asks for: the state column alone.
SELECT CONVERT(id USING utf8mb4), CONVERT(state USING utf8mb4) FROM aw_executions FORCE INDEX (PRIMARY)
 WHERE id IN :ids;

-- name: guards
-- What rows have in place of what refused changes expected.
SELECT CONVERT(id USING utf8mb4), revision, token FROM aw_executions FORCE INDEX (PRIMARY) WHERE id IN :ids;

-- name: lease_of
-- Who holds an execution.
SELECT CONVERT(lease_owner USING utf8mb4), lease_until FROM aw_executions
 WHERE id = :id AND lease_until > :now;

-- name: find
-- One page, newest first. A line that ends in `-- if x` is there only when the query has an x.
SELECT CONVERT(e.id USING utf8mb4) FROM aw_executions e
 FORCE INDEX (aw_executions_parent)                                                       -- if parent_id
 FORCE INDEX (aw_executions_completed)                                                    -- if by_end
 FORCE INDEX (aw_executions_created)                                                      -- if by_age
 WHERE true
   AND e.parent_id = :parent_id                                                           -- if parent_id
   AND e.completed_at IS NULL                                                             -- if live
   AND e.state IN :states                                                                 -- if states
   AND e.workflow = :workflow                                                             -- if workflow
   AND e.created_at >= :since                                                             -- if since
   AND JSON_CONTAINS(e.tags, :tags)                                                       -- if tags
   AND e.created_at <= (SELECT a.created_at FROM aw_executions a WHERE a.id = :after)     -- if after
   AND (e.created_at < (SELECT a.created_at FROM aw_executions a WHERE a.id = :after)     -- if after
        OR e.id < :after)                                                                 -- if after
 ORDER BY e.created_at DESC, e.id DESC LIMIT :limit;
