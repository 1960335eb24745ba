-- Takes leases on what is due or has lost its lease, the longest due first; tells when there will be something next.
-- Arguments: now, owner, limit, length of the lease, JSON: the highest row format, workflows, queues, plans that
-- are not served. Answers: now, the next instant or '', and each execution's id with its fields.
local now, owner, limit, lease = clock(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local filter = cjson.decode(ARGV[6])

local function set_of(names)
  if not names or names == cjson.null then return nil end
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local workflows, queues, not_plans = set_of(filter.workflows), set_of(filter.queues), set_of(filter.not_plans)

local function is_served(kind)
  local format, plan, workflow, queue, blocked = unpack(cjson.decode(kind))
  return format <= filter.format and not (blocked == 1 and not_plans and not_plans[plan])
    and (not workflows or workflows[workflow]) and (not queues or queues[queue])
end

local function due_of(kind)
  local found, due = {}, {}
  if limit > 0 then
    found = redis.call('ZRANGEBYSCORE', root .. ':due:' .. kind, '-inf', text(now), 'WITHSCORES', 'LIMIT', 0, limit)
  end
  for n = 1, #found, 2 do due[#due + 1] = {id = found[n], at = tonumber(found[n + 1]), kind = kind} end
  return due
end

local function is_earlier(a, b) return a.at < b.at or (a.at == b.at and less(a.id, b.id)) end

local served, lists = {}, {}
for _, kind in ipairs(redis.call('SMEMBERS', root .. ':kinds')) do
  if is_served(kind) then
    served[#served + 1] = kind
    lists[#lists + 1] = due_of(kind)
  end
end

local rows, till = {}, text(now + lease)
for _, due in ipairs(merged(lists, limit, is_earlier)) do
  local x = key_of(due.id)
  redis.call('HINCRBY', x, 'token', 1)
  redis.call('HSET', x, 'owner', owner, 'until', till)
  redis.call('ZADD', root .. ':due:' .. due.kind, till, due.id)
  rows[#rows + 1] = {due.id, redis.call('HGETALL', x)}
end

-- The number is read from the row: that of a sorted set may have been rounded.
local first
for _, kind in ipairs(served) do
  local found = redis.call('ZRANGE', root .. ':due:' .. kind, 0, 0, 'WITHSCORES')
  if not found[1] then
    redis.call('SREM', root .. ':kinds', kind)
  elseif not first or tonumber(found[2]) < first.at then
    first = {id = found[1], at = tonumber(found[2])}
  end
end
local next_due = ''
if first then
  local row = redis.call('HMGET', key_of(first.id), 'until', 'due')
  next_due = row[1] or row[2] or ''
end
return {text(now), next_due, rows}
