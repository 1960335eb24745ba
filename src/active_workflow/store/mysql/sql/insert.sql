-- name: put_kinds
-- Kinds of executions: what workflows and queues there are. A claim goes through its index kind by kind.
INSERT INTO aw_kinds (workflow, queue) VALUES :rows ON DUPLICATE KEY UPDATE queue = aw_kinds.queue;

-- name: put_plans
-- A plan's hash says what it is: whoever comes first writes it.
INSERT INTO aw_plans (hash, workflow, body) VALUES :rows ON DUPLICATE KEY UPDATE hash = aw_plans.hash;

-- name: hold_keys
-- Keys that are free. One that is held is an error: the whole batch is then taken back, and who gets what is
-- settled. They come in order, so that two batches don't wait for each other in a circle.
INSERT INTO aw_keys (`key`, execution_id) VALUES :rows;

-- name: put_executions
-- New executions. An id that exists is an error, and treated in the same way.
INSERT INTO aw_executions (
  id, workflow, version, plan, parent_id, `key`, input, input_hash, tags, created_at, run_at, format, queue,
  state, active, marks, seq, started_at, completed_at, revision, token, due_at, lease_owner, lease_until)
VALUES :rows;

-- name: lock_keys
-- Keys that are held, kept so until the transaction ends; if none may be taken over, others may keep them too.
SELECT 1 FROM aw_keys FORCE INDEX (PRIMARY) WHERE `key` IN :keys ORDER BY `key`
  LOCK IN SHARE MODE                                                                      -- if lasting
  FOR UPDATE                                                                              -- if passing

-- name: holders
-- Who holds these keys, with what has to be compared.
SELECT CONVERT(k.`key` USING utf8mb4), CONVERT(e.id USING utf8mb4), CONVERT(e.workflow USING utf8mb4),
       e.input_hash, CONVERT(e.state USING utf8mb4)
  FROM aw_keys k FORCE INDEX (PRIMARY) STRAIGHT_JOIN aw_executions e FORCE INDEX (PRIMARY)
    ON e.id = k.execution_id
 WHERE k.`key` IN :keys;

-- name: existing_ids
-- Which of these ids are taken: repeating an insert of unknown outcome must change nothing.
SELECT CONVERT(id USING utf8mb4) FROM aw_executions FORCE INDEX (PRIMARY) WHERE id IN :ids;

-- name: take_over
-- Keys whose holders have ended, and give them up.
UPDATE :batch t STRAIGHT_JOIN aw_keys k FORCE INDEX (PRIMARY) ON k.`key` = t.held SET k.execution_id = t.id;

-- name: place
-- Which database a connection leads to, how it reads text, and how long a message may be.
SELECT DATABASE(), @@character_set_results, @@max_allowed_packet;

-- name: stamp
-- When its tables were made, to the microsecond: no other server has the same.
SELECT CONCAT(applied_at, '') FROM aw_migrations ORDER BY version LIMIT 1;

-- name: take_free_keys
-- Keys that are free, in order. One that somebody else takes at this moment is waited for, and left to them.
-- (ON DUPLICATE KEY UPDATE would lock keys of others for everyone. IGNORE would cut what is too long: that is
-- looked at before.)
INSERT IGNORE INTO aw_keys (`key`, execution_id) VALUES :rows;

-- name: key_holders
-- Who holds keys that are all there, as of now, whenever the transaction began to read.
SELECT CONVERT(`key` USING utf8mb4), CONVERT(execution_id USING utf8mb4) FROM aw_keys FORCE INDEX (PRIMARY)
 WHERE `key` IN :keys LOCK IN SHARE MODE;

-- name: holder_rows
-- What has to be compared of the holders of keys.
SELECT CONVERT(id USING utf8mb4), CONVERT(workflow USING utf8mb4), input_hash, CONVERT(state USING utf8mb4)
  FROM aw_executions FORCE INDEX (PRIMARY) WHERE id IN :ids;

-- name: free_keys
-- Keys that were taken and are not needed: a conflict has undone the call.
DELETE FROM aw_keys WHERE `key` IN :keys;
