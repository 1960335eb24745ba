-- Gives up leases that are still held; each row is due as its owner says, and others are told.
-- Arguments: origin; then ids, tokens and due times.
local tells = false
for n = 3, #ARGV, 3 do
  local id, token, due = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local row = redis.call('HMGET', key_of(id), 'token', 'until', 'kind')
  if row[2] and row[1] == token then
    give_up(id, row[3], row[2], due)
    if due ~= '' then tells = true end
  end
end
if tells then tell(ARGV[2]) end
