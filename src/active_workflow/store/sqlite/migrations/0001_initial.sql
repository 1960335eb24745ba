-- Executions and what belongs to them. Instants are microseconds since the epoch.

-- A plan is stored once under its hash; many executions share it.
CREATE TABLE aw_plans (
  hash TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE aw_executions (
  id TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  version TEXT NOT NULL,
  plan TEXT NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  parent_id TEXT,
  key TEXT,
  input TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  tags TEXT NOT NULL DEFAULT '{}',
  active TEXT NOT NULL DEFAULT '{}',       -- steps that have begun and are neither over nor waiting
  marks TEXT NOT NULL DEFAULT '{}',        -- what rarely moves: phase, ending, pause, block, signal count
  seq INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL,
  token INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER,
  lease_owner TEXT,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  format INTEGER NOT NULL,
  CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
  -- Cases, the frequent ones first: for IN (…) SQLite would build a table at each write, which costs more
  -- than the write itself.
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
    ELSE 0 END)
) STRICT;

-- What a worker may claim: live rows that nobody holds. Its size follows the backlog, never the history;
-- the filters of a claim are in it, so that rows for other workers are passed over without being read.
CREATE INDEX aw_executions_due ON aw_executions (due_at, id, workflow, queue, plan, format)
  WHERE lease_until IS NULL AND due_at IS NOT NULL;

-- Leases, to find those that ran out. Without the queue: steps move that while a lease is held.
CREATE INDEX aw_executions_lease ON aw_executions (lease_until, id) WHERE lease_until IS NOT NULL;

-- Listing, newest first.
CREATE INDEX aw_executions_created ON aw_executions (created_at, id);

-- The children of an execution.
CREATE INDEX aw_executions_parent ON aw_executions (parent_id, created_at, id) WHERE parent_id IS NOT NULL;

-- Pruning.
CREATE INDEX aw_executions_completed ON aw_executions (completed_at) WHERE completed_at IS NOT NULL;

-- Steps that are over or wait, and what active ones told so far. Together in one tree by execution, so that loading one reads one place.
CREATE TABLE aw_steps (
  execution_id TEXT NOT NULL,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (CASE state
    WHEN 'completed' THEN 1 WHEN 'waiting' THEN 1 WHEN 'failed' THEN 1 WHEN 'skipped' THEN 1
    WHEN 'timed_out' THEN 1 WHEN 'cancelled' THEN 1 WHEN 'in_doubt' THEN 1 WHEN 'compensated' THEN 1
    WHEN 'compensation_failed' THEN 1 WHEN 'pending' THEN 1 WHEN 'running' THEN 1
    WHEN 'compensating' THEN 1 ELSE 0 END),
  seq INTEGER,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  result TEXT,
  patch TEXT,
  error TEXT,
  started_at INTEGER,
  finished_at INTEGER,
  waiting_since INTEGER,
  timeout_at INTEGER,
  correlation_id TEXT,
  heartbeat_at INTEGER,
  heartbeat TEXT,
  story TEXT,
  PRIMARY KEY (execution_id, name)
) STRICT, WITHOUT ROWID;

-- Signals in the order in which they were committed; taken ones stay as the record.
CREATE TABLE aw_signals (
  execution_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL,
  key TEXT,
  received_at INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)),
  PRIMARY KEY (execution_id, number)
) STRICT, WITHOUT ROWID;

-- Who holds an idempotency key. Compared as bytes, as all text in SQLite is unless told otherwise.
CREATE TABLE aw_keys (
  key TEXT PRIMARY KEY,
  execution_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
