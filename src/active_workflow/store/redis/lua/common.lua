-- What all scripts share; it stands before each of them. Here is how a store is kept:
--
--   {aw}                   hash    `format`: the number of this layout
--   {aw}:x:<id>            hash    one execution with all that belongs to it, see below
--   {aw}:due:<kind>        zset    ids of one kind by the instant from which they may be claimed: the end of
--                                  their lease if they have one, else their due time
--   {aw}:kinds             set     the kinds that may have something due
--   {aw}:in:<list>         zset    `live`, `completed`, `failed`, `cancelled`: each execution is in one of them,
--                                  as <made><id>, sorted as bytes
--   {aw}:children:<id>     zset    the children of an execution, in the same form
--   {aw}:over              zset    what has ended, as <ended><id>: what pruning reads
--   {aw}:keys              hash    idempotency key -> id of its holder
--   {aw}:plans             hash    hash of a plan -> its body
--   {aw}:hints             channel who has made something due: for speed only
--
-- `aw` is the store's prefix. In braces it is the hash tag: in a cluster all keys are in one slot. Each script
-- declares the first key and makes the other names from it.
--
-- A kind is what a claim chooses by: a JSON list of row format, plan, workflow, queue and 1 if it is blocked. So a claim reads what
-- it may take and nothing else, however much waits, is over, or is there for others.
--
-- <made> and <ended> are instants as 20 digits, moved by 2^63: as bytes they sort as the numbers do, and no
-- number is ever rounded (the numbers of Lua and of sorted sets are whole up to 2^53 only).
--
-- The fields of an execution:
--
--   revision token         what commits are guarded by
--   due owner until        when it is due; who holds it, until when. Missing: None
--   kind list made over    where it is in the sets above
--   state workflow t:<tag> what is looked for
--   key parent             its idempotency key, its parent; missing: None
--   input fixed            as it began: ctx, and what never changes as a JSON list
--   active marks moved     what moves, as `codec` writes it; `moved` is a JSON list
--   waits                  JSON object: the waiting steps, each with when that began; missing: none
--   s:<step>               the row of a step that is over or waits, as a JSON list
--   b:<step>               a sign of life of a waiting step: <instant>, or <instant>:<details>
--   g:<number>             a signal that no step has taken, as a JSON list
--
-- A script is not undone if it fails half way. So it reads and decides everything that can be refused before
-- it writes, and nothing in it can fail then.

local root, FORMAT = KEYS[1], ARGV[1]
local found_format = redis.call('HGET', root, 'format')
if found_format ~= FORMAT then return redis.error_reply('AWFORMAT ' .. (found_format or 'none')) end

local function key_of(id) return root .. ':x:' .. id end

local function text(number) return string.format('%.0f', number) end

-- The store's time: that of its clock if it was given one, else the server's.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Whether a text comes before another byte by byte: `<` would go by the server's language.
local function less(a, b)
  if a == b then return false end
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- The first `limit` items of several sorted lists.
local function merged(lists, limit, before)
  local taken, heads = {}, {}
  for n = 1, #lists do heads[n] = 1 end
  while #taken < limit do
    local best
    for n = 1, #lists do
      local item = lists[n][heads[n]]
      if item and (not best or before(item, lists[best][heads[best]])) then best = n end
    end
    if not best then break end
    taken[#taken + 1] = lists[best][heads[best]]
    heads[best] = heads[best] + 1
  end
  return taken
end

-- Calls a command with a key and a long list of words: Lua takes only so many at once.
local function in_pieces(command, key, words)
  for first = 1, #words, 1000 do
    redis.call(command, key, unpack(words, first, math.min(first + 999, #words)))
  end
end

local known_kinds = {}

-- Moves an id from where it is claimable to where it will be; nil is nowhere.
local function requeue(id, old_kind, old_at, kind, at)
  if old_at and (not at or kind ~= old_kind) then redis.call('ZREM', root .. ':due:' .. old_kind, id) end
  if at and (at ~= old_at or kind ~= old_kind) then
    redis.call('ZADD', root .. ':due:' .. kind, at, id)
    if not known_kinds[kind] then
      redis.call('SADD', root .. ':kinds', kind)
      known_kinds[kind] = true
    end
  end
end

-- Gives an execution's lease up, and makes it due at an instant ('' for never).
local function give_up(id, kind, old_at, due)
  local key = key_of(id)
  redis.call('HDEL', key, 'owner', 'until')
  if due == '' then redis.call('HDEL', key, 'due') else redis.call('HSET', key, 'due', due) end
  requeue(id, kind, old_at, kind, due ~= '' and due or nil)
end

-- Writes a new execution; `packing.new_item` says what is where in it. Tells whether it is there to be claimed.
local function put(item, now)
  local id, key, parent, kind, list, made, over, due, lease, fields = unpack(item)
  local at = due ~= '' and due or nil
  if lease ~= '' then
    at = text(now + tonumber(lease))
    fields[#fields + 1], fields[#fields + 2] = 'until', at
  end
  in_pieces('HSET', key_of(id), fields)
  if key ~= '' then redis.call('HSET', root .. ':keys', key:sub(2), id) end
  if parent ~= '' then redis.call('ZADD', root .. ':children:' .. parent:sub(2), 0, made .. id) end
  if over ~= '' then redis.call('ZADD', root .. ':over', 0, over .. id) end
  redis.call('ZADD', root .. ':in:' .. list, 0, made .. id)
  requeue(id, nil, nil, kind, at)
  return at and lease == ''
end

local function tell(origin) redis.call('PUBLISH', root .. ':hints', origin) end

