-- Executions and what belongs to them. Instants are microseconds since the epoch.
-- Text that is compared or sorted has COLLATE "C": byte by byte, whatever the database's own language is.
-- Users' values are text, not jsonb: jsonb would change it (order of keys, numbers), and refuses some.

-- A plan is stored once under its hash; many executions share it.
CREATE TABLE aw_plans (
  hash text COLLATE "C" PRIMARY KEY,
  workflow text COLLATE "C" NOT NULL,
  body text NOT NULL
);

-- Room is left in each page, so that the new version of a row lands beside the old one and no index is
-- touched (a HOT update); in the end that makes the table smaller, not larger.
CREATE TABLE aw_executions (
  id text COLLATE "C" PRIMARY KEY,
  workflow text COLLATE "C" NOT NULL,
  version text NOT NULL,
  plan text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  parent_id text COLLATE "C",
  key text COLLATE "C",
  input text NOT NULL,
  input_hash text NOT NULL,
  tags jsonb NOT NULL DEFAULT '{}',
  active text NOT NULL DEFAULT '{}',      -- steps that have begun and are neither over nor waiting
  marks text NOT NULL DEFAULT '{}',       -- what rarely moves: phase, ending, pause, block, signal count
  seq bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL CHECK (revision > 0),
  token bigint NOT NULL DEFAULT 0,
  due_at bigint,
  lease_owner text,
  lease_until bigint,
  created_at bigint NOT NULL,
  run_at bigint NOT NULL,
  started_at bigint,
  completed_at bigint,
  format integer NOT NULL,
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
    ELSE false END)
) WITH (fillfactor = 60);

-- What a worker may claim: live rows that nobody holds, kind by kind, so that a backlog of which it serves
-- nothing costs it nothing. Its size follows the backlog, never the history.
CREATE INDEX aw_executions_due ON aw_executions (workflow, queue, due_at, id)
  WHERE lease_until IS NULL AND due_at IS NOT NULL;

-- Leases, to find those that ran out.
CREATE INDEX aw_executions_lease ON aw_executions (lease_until, id) WHERE lease_until IS NOT NULL;

-- Listing, newest first.
CREATE INDEX aw_executions_created ON aw_executions (created_at, id);

-- Listing what is under way or stuck: it is looked for most, and there is little of it beside the history.
-- (No index has the state itself: it moves often, and an update that moves an index's column is no HOT one.)
CREATE INDEX aw_executions_live ON aw_executions (created_at, id) WHERE completed_at IS NULL;

-- The children of an execution.
CREATE INDEX aw_executions_parent ON aw_executions (parent_id, created_at, id) WHERE parent_id IS NOT NULL;

-- Pruning.
CREATE INDEX aw_executions_completed ON aw_executions (completed_at) WHERE completed_at IS NOT NULL;

-- Steps that are over or wait, and what active ones told so far. Most rows are written once and never again.
CREATE TABLE aw_steps (
  execution_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (CASE state
    WHEN 'completed' THEN true WHEN 'waiting' THEN true WHEN 'failed' THEN true WHEN 'skipped' THEN true
    WHEN 'timed_out' THEN true WHEN 'cancelled' THEN true WHEN 'in_doubt' THEN true
    WHEN 'compensated' THEN true WHEN 'compensation_failed' THEN true WHEN 'pending' THEN true
    WHEN 'running' THEN true WHEN 'compensating' THEN true ELSE false END),
  seq bigint,
  attempts bigint NOT NULL CHECK (attempts >= 0),
  result text,
  patch text,
  error text,
  started_at bigint,
  finished_at bigint,
  waiting_since bigint,
  timeout_at bigint,
  correlation_id text,
  heartbeat_at bigint,
  heartbeat text,
  story text,
  PRIMARY KEY (execution_id, name)
);

-- Signals in the order in which they were committed; taken ones stay as the record.
CREATE TABLE aw_signals (
  execution_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  key text COLLATE "C",
  received_at bigint NOT NULL,
  taken boolean NOT NULL DEFAULT false,
  PRIMARY KEY (execution_id, number)
);

-- Who holds an idempotency key.
CREATE TABLE aw_keys (
  key text COLLATE "C" PRIMARY KEY,
  execution_id text COLLATE "C" NOT NULL
);
