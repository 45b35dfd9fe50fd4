"""The server-side scripts of the streams. Each runs atomically: all checks stand before the first write.

`WRITE` is the only way anything is written to a stream. Its arguments are flat, because Lua gets strings only; `write_call`
builds them. Replies: {1, id, id ...} or {0, "acked" | "guard" | "full", name of the key at fault}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Argument = str | bytes | int

EXACT_TRIM_BELOW = 1024  # a stream node holds up to 100 entries and only whole nodes go; small bounds are trimmed exactly


@dataclass(frozen=True)
class Script:
    """A Lua script and the digest the server knows it by."""

    source: str

    @property
    def sha(self) -> str:
        """SHA-1 of the source, hex, as EVALSHA wants it."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


# KEYS: source stream (only with entry ids), guarded keys, one stream per output.
# ARGV: group, n ids, ids..., n keys, (value, guarded 0|1, expected)..., n outputs, (bound, n fields, field...)...
WRITE = Script(
    """
local function less(a, b)
  local am, as = a:match('^(%d+)-(%d+)$')
  local bm, bs = b:match('^(%d+)-(%d+)$')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  if am ~= bm then return am < bm end
  return as < bs
end

-- Makes room by dropping the oldest entries that every group has acknowledged; says whether `adding` entries fit.
local function room(key, bound, adding)
  local length = redis.call('XLEN', key)
  if length + adding <= bound or length == 0 then return true end
  local keep = bound - math.floor(bound / 8)
  local safe = nil
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local fields = {}
    for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
    local first = fields['last-delivered-id']
    if fields['pending'] > 0 then first = redis.call('XPENDING', key, fields['name'])[2] end
    if safe == nil or less(first, safe) then safe = first end
  end
  local drop = length + adding - keep
  if safe == nil then
    redis.call('XTRIM', key, 'MAXLEN', bound < EXACT and '=' or '~', length - drop > 0 and length - drop or 0)
  elseif bound < EXACT then
    redis.call('XTRIM', key, 'MINID', '=', safe)
  else
    redis.call('XTRIM', key, 'MINID', '~', safe, 'LIMIT', drop)
  end
  return redis.call('XLEN', key) + adding <= bound + math.floor(bound / 8)
end

local at, key = 1, 1
local function take() at = at + 1; return ARGV[at - 1] end

local group = take()
local n_ids = tonumber(take())
local ids = {}
local source = nil
if n_ids > 0 then source = KEYS[1]; key = 2 end
for i = 1, n_ids do
  ids[i] = take()
  if #redis.call('XPENDING', source, group, ids[i], ids[i], 1) == 0 then return {0, 'acked', ids[i]} end
end

local n_keys = tonumber(take())
local sets = {}
for i = 1, n_keys do
  local value, guarded, expected = take(), take(), take()
  if guarded == '1' and (redis.call('GET', KEYS[key]) or '') ~= expected then return {0, 'guard', KEYS[key]} end
  sets[i] = {KEYS[key], value}
  key = key + 1
end

local n_outputs = tonumber(take())
local outputs, adding, bounds = {}, {}, {}
for i = 1, n_outputs do
  local stream, bound, n_fields = KEYS[key], tonumber(take()), tonumber(take())
  local fields = {}
  for f = 1, n_fields do fields[f] = take() end
  outputs[i] = {stream, fields}
  adding[stream] = (adding[stream] or 0) + 1
  bounds[stream] = bound
  key = key + 1
end
for stream, count in pairs(adding) do
  if not room(stream, bounds[stream], count) then return {0, 'full', stream} end
end

if n_ids > 0 then redis.call('XACK', source, group, unpack(ids)) end
local reply = {1}
for i, output in ipairs(outputs) do reply[i + 1] = redis.call('XADD', output[1], '*', unpack(output[2])) end
for _, set in ipairs(sets) do redis.call('SET', set[1], set[2]) end
return reply
""".replace("EXACT", str(EXACT_TRIM_BELOW))
)

# Resets the idle time of those entries that `consumer` still owns; ARGV: group, consumer, retry count (0: leave), ids...
TOUCH = Script("""
local touched = 0
for i = 4, #ARGV do
  local found = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #found == 1 and found[1][2] == ARGV[2] then
    if ARGV[3] == '0' then redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    else redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', ARGV[3], 'JUSTID') end
    touched = touched + 1
  end
end
return touched
""")

# Forgets consumers of a group that have nothing pending and were idle longer than ARGV[2] ms; ARGV: group, ms.
FORGET = Script("""
local forgotten = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local fields = {}
  for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
  if fields['pending'] == 0 and fields['idle'] > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields['name'])
    forgotten = forgotten + 1
  end
end
return forgotten
""")


def write_call(
    source: str,
    group: str,
    entry_ids: Sequence[str],
    keys: Sequence[tuple[str, bytes, bytes | None]],
    outputs: Sequence[tuple[str, int, Mapping[str, Argument]]],
) -> tuple[list[Argument], list[Argument]]:
    """KEYS and ARGV of `WRITE`. `keys`: (key, value, expected or None); `outputs`: (stream, bound, fields)."""
    names: list[Argument] = [source] if entry_ids else []
    arguments: list[Argument] = [group, len(entry_ids), *entry_ids, len(keys)]
    for key, value, expected in keys:
        names.append(key)
        arguments += [value, 0 if expected is None else 1, expected or b""]
    arguments.append(len(outputs))
    for stream, bound, fields in outputs:
        names.append(stream)
        arguments += [bound, 2 * len(fields)]
        for field, content in fields.items():
            arguments += [field, content]
    return names, arguments
