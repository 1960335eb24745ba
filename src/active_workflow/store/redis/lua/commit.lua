-- A batch of changes, each of them whole or not at all; `packing.change` says what is where in one.
-- A due time is written only to a row that nobody holds, or whose holder gives it up. Others are told at most
-- once, and only if there is something for them: a row came due, ended or got stuck, or it was changed by
-- somebody else than its owner.
-- Arguments: now, origin, bodies of plans by hash, then the changes.
-- Answers for each change: 1 or 0, and the row's revision and token.
local now, bodies = clock(ARGV[2]), cmsgpack.unpack(ARGV[4])
local answers, tells, planned = {}, false, false

-- Signs of life of steps that wait no longer, or wait anew.
local function drop_beats(x, old, new)
  local waits = new ~= '' and cjson.decode(new) or {}
  for step, since in pairs(cjson.decode(old)) do
    if waits[step] ~= since then redis.call('HDEL', x, 'b:' .. step) end
  end
end

local function move_list(x, id, made, old, new)
  redis.call('ZREM', root .. ':in:' .. old, made .. id)
  redis.call('ZADD', root .. ':in:' .. new, 0, made .. id)
end

local function move_over(x, id, old, new)
  if old then redis.call('ZREM', root .. ':over', old .. id) end
  if new == '' then return redis.call('HDEL', x, 'over') end
  redis.call('HSET', x, 'over', new)
  redis.call('ZADD', root .. ':over', 0, new .. id)
end

local function bear(children)
  if #children > 0 and not planned then
    in_pieces('HSET', root .. ':plans', bodies)
    planned = true
  end
  for n = 1, #children do
    if redis.call('EXISTS', key_of(children[n][1])) == 0 then put(children[n], now) end
  end
end

local function apply(change, x, row)
  local id, _, _, token, release, due, kind, list, over, sets, gone, waits, speaks, children = unpack(change)
  local old_kind, old_list, held, old_due, old_waits, made, old_over = unpack(row, 3, 9)
  local at = held or old_due
  in_pieces('HSET', x, sets)
  if release ~= '' or (token == '' and not held) then
    if release ~= '' and held then redis.call('HDEL', x, 'owner', 'until') end
    at, held = due ~= '' and due or nil, false
    if at and at ~= old_due then redis.call('HSET', x, 'due', at) end
    if not at and old_due then redis.call('HDEL', x, 'due') end
  end
  requeue(id, old_kind, row[5] or old_due, kind, at)
  if list ~= old_list then move_list(x, id, made, old_list, list) end
  if over ~= (old_over or '') then move_over(x, id, old_over, over) end
  if old_waits then drop_beats(x, old_waits, waits) end
  if waits ~= (old_waits or '') then
    if waits == '' then redis.call('HDEL', x, 'waits') else redis.call('HSET', x, 'waits', waits) end
  end
  in_pieces('HDEL', x, gone)
  bear(children)
  if speaks ~= '' or token == '' or (at and not held) then tells = true end
end

for n = 5, #ARGV do
  local change = cmsgpack.unpack(ARGV[n])
  local x = key_of(change[1])
  local row = redis.call('HMGET', x, 'revision', 'token', 'kind', 'list', 'until', 'due', 'waits', 'made', 'over')
  local passes = row[1] == change[2] and (change[4] == '' or row[2] == change[4])
  if passes then apply(change, x, row) end
  answers[#answers + 1] = {passes and 1 or 0, passes and change[3] or row[1] or '0', row[2] or '0'}
end
if tells then tell(ARGV[3]) end
return answers
