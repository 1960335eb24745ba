-- What a waiter asks for: the states alone. Arguments: ids.
local states = {}
for n = 2, #ARGV do states[#states + 1] = redis.call('HGET', key_of(ARGV[n]), 'state') end
return states
