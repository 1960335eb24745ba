-- Signs of life, for steps that wait. Arguments: now; then ids, steps and details ('' for none, else ':' before).
-- Answers for each: 1 or 0.
local at, answers = text(clock(ARGV[2])), {}
for n = 3, #ARGV, 3 do
  local id, step, details = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local waits = redis.call('HGET', key_of(id), 'waits')
  local is_waiting = waits and cjson.decode(waits)[step] ~= nil
  if is_waiting then redis.call('HSET', key_of(id), 'b:' .. step, at .. details) end
  answers[#answers + 1] = is_waiting and 1 or 0
end
return answers
