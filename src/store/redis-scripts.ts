import { createHash } from "node:crypto";

/** Each touches one key, so that it also runs in a cluster, and behind one address for several nodes. */
export interface RedisScript {
  readonly source: string;
  readonly sha1: string;
}

function script(source: string): RedisScript {
  return { source, sha1: createHash("sha1").update(source).digest("hex") };
}

/**
 * Compare and set. KEYS: the record. ARGV: `any`, `absent` or a version; the wall time; the time to live; the new record.
 * Returns {1, the header before or ""}, or {0, "present" or ""}. What has another shape is no record; it is overwritten.
 * A header is `version expiry indexes\n`, as `redis-record.ts` has it.
 */
export const WRITE = script(`
local stored = redis.pcall('GET', KEYS[1])
if type(stored) ~= 'string' then stored = '' end
local header = string.match(stored, '^[^\\n]*\\n') or ''
local version, expiry = string.match(header, '^(%S+) (%d+) ')
if version and tonumber(expiry) <= tonumber(ARGV[2]) then version = nil end
if ARGV[1] ~= 'any' and ARGV[1] ~= (version or 'absent') then
  return {0, version and 'present' or ''}
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
return {1, header}
`);

/**
 * Puts a member into an index, never to expire before the member does. KEYS: a sorted set. ARGV: score, member, the time
 * to live, and the score below which members are forgotten.
 */
export const INDEX = script(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
`);

/**
 * As INDEX, for a class: by order of writing. KEYS: a sorted set. ARGV: the wall time, member, time to live, limit.
 * Returns the members that are one too many. The order is the wall time or one more than the last, if that is later.
 */
export const CLASS = script(`
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local score = tonumber(ARGV[1])
if last and tonumber(last) >= score then score = tonumber(last) + 1 end
redis.call('ZADD', KEYS[1], string.format('%.0f', score), ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
if excess <= 0 then return {} end
local oldest = redis.call('ZRANGE', KEYS[1], 0, excess - 1)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, excess - 1)
return oldest
`);

/** Removes a record of one version. KEYS: the record. ARGV: the version. Returns 1 and the header, or 0. */
export const REMOVE = script(`
local stored = redis.pcall('GET', KEYS[1])
if type(stored) ~= 'string' then return {0, ''} end
local header = string.match(stored, '^[^\\n]*\\n') or ''
if string.match(header, '^(%S+) ') ~= ARGV[1] then return {0, ''} end
redis.call('DEL', KEYS[1])
return {1, header}
`);

/** Holds a lock on that is still one's own. KEYS: the lock. ARGV: its token, the time to live. */
export const RELOCK = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`);

/** Releases a lock that is still one's own. KEYS: the lock. ARGV: its token. */
export const UNLOCK = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);
