-- New executions: all of them, or none if somebody else has an id or holds a key otherwise than was expected.
-- Then it tells who does, and the caller decides anew: who gets a key is decided in one place for all stores.
-- Arguments: now, origin, packed: bodies of plans by hash; expected: key, holder, its state, ...; then the items.
-- Answers: 1; or 0, the ids that exist, and each held key with its holder's id, workflow, fixed part and state.
local now, bodies, expected = clock(ARGV[2]), cmsgpack.unpack(ARGV[4]), cmsgpack.unpack(ARGV[5])
local items, existing, holders, surprise = {}, {}, {}, false

for n = 6, #ARGV do
  local item = cmsgpack.unpack(ARGV[n])
  if redis.call('EXISTS', key_of(item[1])) == 1 then existing[#existing + 1] = item[1] end
  items[#items + 1] = item
end
for n = 1, #expected, 3 do
  local key, wanted, wanted_state = expected[n], expected[n + 1], expected[n + 2]
  local id = redis.call('HGET', root .. ':keys', key) or ''
  local row = id ~= '' and redis.call('HMGET', key_of(id), 'workflow', 'fixed', 'state') or {}
  if not row[1] then id = '' end
  if id ~= wanted or (row[3] or '') ~= wanted_state then surprise = true end
  if id ~= '' then holders[#holders + 1] = {key, id, row[1], row[2], row[3]} end
end
if surprise or #existing > 0 then return {0, existing, holders} end

in_pieces('HSET', root .. ':plans', bodies)
local tells = false
for n = 1, #items do
  if put(items[n], now) then tells = true end
end
if tells then tell(ARGV[3]) end
return {1}
