-- New executions: all of them, or none if an id exists or a key is held otherwise than was expected. Then it
-- tells what there is, and the caller decides anew: who gets a key is decided in one place for all stores.
-- Arguments: now, origin, packed: bodies of plans by hash; ids in question, each with '1' if it is said to exist;
-- keys in question, each with its holder and the state of that; then the items.
-- Answers: 1; or 0, the ids that exist, and each held key with its holder's id, workflow, fixed part and state.
local now, bodies = clock(ARGV[2]), cmsgpack.unpack(ARGV[4])
local ids, keys = cmsgpack.unpack(ARGV[5]), cmsgpack.unpack(ARGV[6])
local existing, holders, surprise = {}, {}, false

for n = 1, #ids, 2 do
  local exists = redis.call('EXISTS', key_of(ids[n])) == 1
  if exists then existing[#existing + 1] = ids[n] end
  if exists ~= (ids[n + 1] ~= '') then surprise = true end
end
for n = 1, #keys, 3 do
  local key, wanted, wanted_state = keys[n], keys[n + 1], keys[n + 2]
  local id = redis.call('HGET', root .. ':keys', key) or ''
  local row = id ~= '' and redis.call('HMGET', key_of(id), 'workflow', 'fixed', 'state') or {}
  if not row[1] then id = '' end
  if id ~= wanted or (row[3] or '') ~= wanted_state then surprise = true end
  if id ~= '' then holders[#holders + 1] = {key, id, row[1], row[2], row[3]} end
end
if surprise then return {0, existing, holders} end

in_pieces('HSET', root .. ':plans', bodies)
local tells = false
for n = 7, #ARGV do
  if put(cmsgpack.unpack(ARGV[n]), now) then tells = true end
end
if tells then tell(ARGV[3]) end
return {1}
