-- Deletes what ended before an instant, the oldest first, with all that belongs to it. A later holder of a key keeps it.
-- Arguments: the instant as 20 digits, how many at most. Answers: how many.
local ended = redis.call('ZRANGEBYLEX', root .. ':over', '-', '(' .. ARGV[2], 'LIMIT', 0, tonumber(ARGV[3]))
for _, entry in ipairs(ended) do
  local id = entry:sub(21)
  local x = key_of(id)
  local key, parent, made, list, kind, held, due =
    unpack(redis.call('HMGET', x, 'key', 'parent', 'made', 'list', 'kind', 'until', 'due'))
  redis.call('ZREM', root .. ':over', entry)
  if made then
    redis.call('ZREM', root .. ':in:' .. list, made .. id)
    if parent then redis.call('ZREM', root .. ':children:' .. parent, made .. id) end
    if key and redis.call('HGET', root .. ':keys', key) == id then redis.call('HDEL', root .. ':keys', key) end
    requeue(id, kind, held or due, nil, nil)
    redis.call('UNLINK', x)
  end
end
return #ended
