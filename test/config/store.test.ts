import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const KEYS = "encryption_keys: [{ file: keys/new }, { env: OLD_KEY }]";
const encryptionKeys = [
  { kind: "file", path: "/etc/pillion/keys/new" },
  { kind: "env", name: "OLD_KEY" },
];
const store = (text: string): string => `store: { ${text} }`;

describe("store", () => {
  it("is in memory unless it is given", () => {
    expect(configOf("routes: []").store).toEqual({ kind: "memory" });
  });

  it("sqlite: a file relative to the configuration, and keys in their order", () => {
    expect(configOf(store(`sqlite: data/pillion.db, ${KEYS}`)).store).toEqual({
      kind: "sqlite",
      file: "/etc/pillion/data/pillion.db",
      encryptionKeys,
    });
    expect(configOf(store(`sqlite: /var/lib/pillion.db, ${KEYS}`)).store).toMatchObject({
      file: "/var/lib/pillion.db",
    });
  });

  it("redis: a URL that lies where secrets lie, the prefix pillion: by default", () => {
    expect(configOf(store(`redis: { url: { env: REDIS_URL } }, ${KEYS}`)).store).toEqual({
      kind: "redis",
      url: { kind: "env", name: "REDIS_URL" },
      prefix: "pillion:",
      tls: undefined,
      encryptionKeys,
    });
  });

  it("redis: a prefix and TLS of its own, whose files are relative to the configuration", () => {
    const text = store(`redis: { url: { file: url }, prefix: "a:", tls: { ca: ca.pem } }, ${KEYS}`);
    expect(configOf(text).store).toMatchObject({
      url: { kind: "file", path: "/etc/pillion/url" },
      prefix: "a:",
      tls: { ca: "/etc/pillion/ca.pem", cert: undefined, key: undefined, serverName: undefined },
    });
  });

  it.each([
    "redis://127.0.0.1:6379",
    "rediss://redis.example.com/3",
    "redis://[::1]",
    "REDIS://cache",
    "redis+sentinel://a:1,b/main",
    "rediss+cluster://a,b",
  ])("redis: %s may be written out, since there is no password in it", (url) => {
    expect(configOf(store(`redis: { url: "${url}" }, ${KEYS}`)).store).toMatchObject({
      url: { kind: "literal", value: url },
    });
  });

  const SECRET = "a URL with a user name or password in it is a secret: give { env: NAME } or { file: PATH }";
  const SCHEME =
    "expected a URL that begins with redis:// or rediss:// (or redis+sentinel://, redis+cluster://)";
  const SINGLE = "it is written redis://[[user]:password@]host[:port][/database]";
  const ONE = "give exactly one of sqlite and redis; leave store out to keep everything in memory";
  const MAKE = "32 bytes in base64: openssl rand -base64 32";
  const redis = (url: string, more = ""): string => store(`redis: { url: ${url} ${more}}, ${KEYS}`);
  it.each([
    [store(KEYS), `1:8 store: ${ONE}`],
    [store(`sqlite: a, redis: { url: { env: R } }, ${KEYS}`), `1:8 store: ${ONE}`],
    ["store: memory", "1:8 store: expected a mapping, not text"],
    [
      store("sqlite: a"),
      `1:1 store.encryption_keys: is missing: what is stored is always encrypted; give [{ file: PATH }], ${MAKE}`,
    ],
    [
      store("sqlite: a, encryption_keys: []"),
      `1:38 store.encryption_keys: must not be an empty list; give [{ file: PATH }], ${MAKE}`,
    ],
    [
      store("sqlite: a, encryption_keys: [plain]"),
      "1:39 store.encryption_keys[0]: a secret is not written out in the configuration: give { env: NAME } for an environment variable or { file: PATH } for a file",
    ],
    [
      store(`sqlite: ":memory:", ${KEYS}`),
      "1:18 store.sqlite: must be a file; leave store out to keep everything in memory",
    ],
    [store(`sqlite: "", ${KEYS}`), "1:18 store.sqlite: expected the path of a file"],
    [redis('"redis://:pw@cache"'), `1:24 store.redis.url: ${SECRET}`],
    [redis('"redis://user@cache"'), `1:24 store.redis.url: ${SECRET}`],
    [redis('"http://cache"'), `1:24 store.redis.url: ${SCHEME}`],
    [redis("cache"), `1:24 store.redis.url: ${SCHEME}`],
    [
      redis('"redis://"'),
      `1:24 store.redis.url: a Redis URL names a host before each comma and at its end; ${SINGLE}`,
    ],
    [redis('"redis+sentinel://a/main?sentinel_password=x"'), `1:24 store.redis.url: ${SECRET}`],
    [
      redis('"redis://cache/zero"'),
      `1:24 store.redis.url: what follows in the path of a Redis URL is the number of a database; ${SINGLE}`,
    ],
    [
      redis('"redis://cache?password=x"'),
      `1:24 store.redis.url: a Redis URL has no query (?…); a ? in a password is written %3F; ${SINGLE}`,
    ],
    [redis("{ env: A, file: b }"), "1:24 store.redis.url: give exactly one of env and file, not both"],
    [redis("5"), "1:24 store.redis.url: expected { env: NAME }, { file: PATH } or redis://HOST:PORT"],
    [
      store(`redis: {}, ${KEYS}`),
      "1:10 store.redis.url: is missing: expected { env: NAME }, { file: PATH } or redis://HOST:PORT",
    ],
    [
      redis("redis://cache", ", tls: { ca: x }"),
      "1:45 store.redis.tls: needs a URL that begins with rediss:// (or rediss+sentinel://, rediss+cluster://)",
    ],
    [
      redis("redis://cache", ", prefix: 'a b'"),
      "1:48 store.redis.prefix: must consist of at most 64 printable ASCII characters without blanks",
    ],
  ])("%s is refused", (text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });

  it("a misspelt store is said to be so", () => {
    expect(faultsOf(store(`sqlit: a, ${KEYS}`))).toContain(
      '1:10 store.sqlit: unknown key (did you mean "sqlite"?)',
    );
  });
});
