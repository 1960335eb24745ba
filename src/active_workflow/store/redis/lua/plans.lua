-- The bodies of plans. Arguments: hashes.
local bodies = {}
for n = 2, #ARGV do bodies[#bodies + 1] = redis.call('HGET', root .. ':plans', ARGV[n]) end
return bodies
