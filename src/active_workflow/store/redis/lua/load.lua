-- Executions, all as of one moment. Arguments: ids. Answers for each with its fields; none where there is no such.
local rows = {}
for n = 2, #ARGV do rows[#rows + 1] = redis.call('HGETALL', key_of(ARGV[n])) end
return rows
