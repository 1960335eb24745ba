-- Prolongs leases that are still held with their token. Arguments: now, length; then ids and tokens.
-- Answers for each: 1 or 0, and the row's revision.
local till, answers = text(clock(ARGV[2]) + tonumber(ARGV[3])), {}
for n = 4, #ARGV, 2 do
  local id, token = ARGV[n], ARGV[n + 1]
  local row = redis.call('HMGET', key_of(id), 'revision', 'token', 'until', 'kind')
  local held = row[3] and row[2] == token
  if held then
    redis.call('HSET', key_of(id), 'until', till)
    redis.call('ZADD', root .. ':due:' .. row[4], till, id)
  end
  answers[#answers + 1] = {held and 1 or 0, row[1] or '0'}
end
return answers
