-- Who holds an execution now, and until when. Arguments: now, id. Answers with two texts, or nothing.
local row = redis.call('HMGET', key_of(ARGV[3]), 'owner', 'until')
if row[2] and tonumber(row[2]) > clock(ARGV[2]) then return row end
return {}
