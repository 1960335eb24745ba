-- What rows have in place of what changes that were never sent would have met. Arguments: ids.
local answers = {}
for n = 2, #ARGV do
  local row = redis.call('HMGET', key_of(ARGV[n]), 'revision', 'token')
  answers[#answers + 1] = {row[1] or '0', row[2] or '0'}
end
return answers
