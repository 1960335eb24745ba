-- Rows that can't be read are looked at again later, so that they hold up no others. Arguments: when; then ids.
for n = 3, #ARGV do
  local row = redis.call('HMGET', key_of(ARGV[n]), 'kind', 'until', 'due')
  if row[1] then give_up(ARGV[n], row[1], row[2] or row[3], ARGV[2]) end
end
