-- A piece of a page, newest first: it looks at so many entries and no more, for nobody else is served meanwhile.
-- Arguments: JSON: lists (or the parent), states (or null), workflow, tags as pairs, since, below (where the last
-- piece ended), after (the id of the cursor), limit, looks.
-- Answers: where to go on ('' at the end), and each execution's id with its fields.
local query = cjson.decode(ARGV[2])

local function given(value) return value ~= nil and value ~= cjson.null end

local upper = '+'
if given(query.below) then
  upper = '(' .. query.below
elseif given(query.after) then
  local made = redis.call('HGET', key_of(query.after), 'made')
  if not made then return {'', {}} end
  upper = '(' .. made .. query.after
end
local lower = given(query.since) and '[' .. query.since or '-'

local lists, seen, more = {}, 0, false
for n, name in ipairs(query.lists) do
  lists[n] = redis.call('ZREVRANGEBYLEX', root .. ':' .. name, upper, lower, 'LIMIT', 0, query.looks)
  seen = seen + #lists[n]
  more = more or #lists[n] == query.looks
end

local states
if given(query.states) then
  states = {}
  for _, state in ipairs(query.states) do states[state] = true end
end
local fields, wanted = {'state', 'workflow'}, {}
for _, pair in ipairs(query.tags) do
  fields[#fields + 1] = 't:' .. pair[1]
  wanted[#fields] = pair[2]
end
if given(query.workflow) then wanted[2] = query.workflow end

local function matches(x)
  local row = redis.call('HMGET', x, unpack(fields))
  if states and not states[row[1]] then return false end
  for n, value in pairs(wanted) do
    if row[n] ~= value then return false end
  end
  return row[1] and true
end

local entries = lists[1] or {}
if #lists > 1 then entries = merged(lists, query.looks, function(a, b) return less(b, a) end) end
more = more or seen > #entries
local rows, below = {}, ''
for n, entry in ipairs(entries) do
  if #rows == query.limit then break end
  local id = entry:sub(21)
  if matches(key_of(id)) then rows[#rows + 1] = {id, redis.call('HGETALL', key_of(id))} end
  if more or n < #entries then below = entry else below = '' end
end
return {below, rows}
