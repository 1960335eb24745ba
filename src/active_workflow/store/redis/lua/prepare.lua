-- Gives a new store the number of its layout, and tells the number it has. (Stands alone: no guard before it.)
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
return redis.call('HGET', KEYS[1], 'format')
