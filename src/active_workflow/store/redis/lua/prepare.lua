-- Gives a new store the number of its layout; tells whether it is new, and the number it has. (Stands alone: no
-- guard before it.)
local made = redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
return { made, redis.call('HGET', KEYS[1], 'format') }
