const WITHOUT = "without the store sessions get 503, and machine tokens go on";

/** By what the store says of itself, see `src/store/redis-client.ts` and its neighbours; the first that fits. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /it knows no primary of the name/,
    "write the name of `sentinel monitor NAME …` behind the slash of store.redis.url; `redis-cli -p 26379 SENTINEL MASTERS` lists them",
  ],
  [
    /sentinel_password|WRONGPASS|NOAUTH|asks for a password/,
    "check the user and the password in store.redis.url; Sentinels have their own or none: ?sentinel_username=…&sentinel_password=…",
  ],
  [
    /ACL|NOPERM/,
    "let the user do what docs/decisions/0012-stores.md and 0017 list, on keys of store.redis.prefix",
  ],
  [
    /is to say so|is written redis|is no Sentinel|is no node of a cluster/,
    "correct store.redis.url as the reason says",
  ],
  [
    /no Sentinel names the primary/,
    `check that the Sentinels in store.redis.url run and can be reached, store.redis.tls, and what a NetworkPolicy lets out; ${WITHOUT}`,
  ],
  [
    /CLUSTERDOWN|at no node|cluster without slots/,
    `\`redis-cli --cluster check HOST:PORT\` shows which slots nobody serves; ${WITHOUT}`,
  ],
  [
    /no node gives the cluster's map/,
    `check that the nodes in store.redis.url run and can be reached, store.redis.tls, and what a NetworkPolicy lets out; ${WITHOUT}`,
  ],
];

/** What to do about a Redis that cannot be used. `reason`: as the store words it. */
export function redisHint(reason: string): string {
  for (const [pattern, hint] of HINTS) if (pattern.test(reason)) return hint;
  return `check the URL's host, port and password, store.redis.tls, and what a NetworkPolicy lets out; ${WITHOUT}`;
}
