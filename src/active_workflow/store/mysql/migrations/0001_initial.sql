-- Executions and what belongs to them. Instants are microseconds since the epoch.
-- What is compared or sorted is VARBINARY: byte by byte, blanks at the end and all. Users' values are text, not
-- JSON, which would change them. No table is partitioned, cascades or refers to another: a lock on a row is then
-- a lock on that row and no other.

-- A plan is stored once under its hash; many executions share it.
CREATE TABLE aw_plans (
  hash VARBINARY(128) NOT NULL PRIMARY KEY,
  workflow VARBINARY(512) NOT NULL,
  body LONGTEXT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The workflows and queues that there have been. A claim goes through the due ones kind by kind, so that a
-- backlog of which it serves nothing costs it nothing.
CREATE TABLE aw_kinds (
  workflow VARBINARY(512) NOT NULL,
  queue VARBINARY(512) NOT NULL,
  PRIMARY KEY (workflow, queue)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- claimable_at is when a row may be claimed: once its lease is over, or when it is due; never (NULL) once it has
-- ended. There are no partial indexes here, so what has ended is in the index too, but under NULL, where no
-- claim looks.
CREATE TABLE aw_executions (
  id VARBINARY(512) NOT NULL PRIMARY KEY,
  workflow VARBINARY(512) NOT NULL,
  version TEXT NOT NULL,
  plan VARBINARY(128) NOT NULL,
  queue VARBINARY(512) NOT NULL,
  state VARBINARY(32) NOT NULL,
  parent_id VARBINARY(512),
  `key` VARBINARY(1024),
  input LONGTEXT NOT NULL,
  input_hash TEXT NOT NULL,
  tags LONGTEXT NOT NULL,
  active LONGTEXT NOT NULL,               -- steps that have begun and are neither over nor waiting
  marks LONGTEXT NOT NULL,                -- what rarely moves: phase, ending, pause, block, signal count
  seq BIGINT NOT NULL,
  revision BIGINT NOT NULL CHECK (revision > 0),
  token BIGINT NOT NULL,
  due_at BIGINT,
  lease_owner VARBINARY(512),
  lease_until BIGINT,
  created_at BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  started_at BIGINT,
  completed_at BIGINT,
  format INT NOT NULL,
  claimable_at BIGINT AS (COALESCE(lease_until, due_at)) STORED,
  CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
  CHECK (CASE state
    WHEN 'running' THEN completed_at IS NULL
    WHEN 'waiting' THEN completed_at IS NULL
    WHEN 'completed' THEN completed_at IS NOT NULL
    WHEN 'failed' THEN completed_at IS NOT NULL
    WHEN 'cancelled' THEN completed_at IS NOT NULL
    WHEN 'pending' THEN completed_at IS NULL
    WHEN 'compensating' THEN completed_at IS NULL
    WHEN 'paused' THEN completed_at IS NULL
    WHEN 'blocked' THEN completed_at IS NULL
    WHEN 'compensation_failed' THEN completed_at IS NULL
    ELSE false END),
  -- What a worker may claim, kind by kind, with all that a claim asks about.
  INDEX aw_executions_due (workflow, queue, claimable_at, id, plan, format),
  -- Listing, newest first.
  INDEX aw_executions_created (created_at, id),
  -- Pruning; and, under NULL, listing what is under way or stuck, newest first.
  INDEX aw_executions_completed (completed_at, created_at, id),
  -- The children of an execution.
  INDEX aw_executions_parent (parent_id, created_at, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Steps that are over or wait, and what active ones told so far. Together by execution, so that loading one
-- reads one place.
CREATE TABLE aw_steps (
  execution_id VARBINARY(512) NOT NULL,
  name VARBINARY(512) NOT NULL,
  position INT NOT NULL,
  state VARBINARY(32) NOT NULL CHECK (CASE state
    WHEN 'completed' THEN true WHEN 'waiting' THEN true WHEN 'failed' THEN true WHEN 'skipped' THEN true
    WHEN 'timed_out' THEN true WHEN 'cancelled' THEN true WHEN 'in_doubt' THEN true
    WHEN 'compensated' THEN true WHEN 'compensation_failed' THEN true WHEN 'pending' THEN true
    WHEN 'running' THEN true WHEN 'compensating' THEN true ELSE false END),
  seq BIGINT,
  attempts BIGINT NOT NULL CHECK (attempts >= 0),
  result LONGTEXT,
  patch LONGTEXT,
  error LONGTEXT,
  started_at BIGINT,
  finished_at BIGINT,
  waiting_since BIGINT,
  timeout_at BIGINT,
  correlation_id LONGTEXT,
  heartbeat_at BIGINT,
  heartbeat LONGTEXT,
  story LONGTEXT,
  PRIMARY KEY (execution_id, name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Signals in the order in which they were committed; taken ones stay as the record.
CREATE TABLE aw_signals (
  execution_id VARBINARY(512) NOT NULL,
  number BIGINT NOT NULL,
  name VARBINARY(512) NOT NULL,
  payload LONGTEXT NOT NULL,
  `key` LONGTEXT,
  received_at BIGINT NOT NULL,
  taken BOOLEAN NOT NULL DEFAULT false,
  PRIMARY KEY (execution_id, number)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Who holds an idempotency key.
CREATE TABLE aw_keys (
  `key` VARBINARY(1024) NOT NULL PRIMARY KEY,
  execution_id VARBINARY(512) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
