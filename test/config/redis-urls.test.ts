import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RedisUrl, readRedisUrl, redisUrlProblem } from "../../src/config/redis-url.ts";

describe("a Redis URL", () => {
  it.each([
    "redis://:pw@cache:6380/15",
    "rediss://user:pw@cache",
    "redis://127.0.0.1/",
    "redis://[::1]:1",
    "REDIS://cache",
    "redis+sentinel://a,b:1,[::1]:2/mymaster",
    "rediss+sentinel://u:p@a/my-master.1_x/3?sentinel_password=s",
    "redis+cluster://a:1,[2001:db8::1],c",
    "rediss+cluster://:p@a/0",
    "redis+cluster://a/",
  ])("%s is one", (text) => {
    expect(redisUrlProblem(text)).toBeUndefined();
  });

  const none = { username: undefined, password: undefined };
  it.each<[string, RedisUrl]>([
    [
      "redis://u:p%2F%40@[::1]:7000/3",
      {
        kind: "single",
        tls: false,
        hosts: [{ host: "::1", port: 7000 }],
        login: { username: "u", password: "p/@" },
        database: 3,
      },
    ],
    [
      "rediss+sentinel://u:p@a,b:1/main/2?sentinel_username=s&sentinel_password=%26%3D",
      {
        kind: "sentinel",
        tls: true,
        hosts: [
          { host: "a", port: 26_379 },
          { host: "b", port: 1 },
        ],
        login: { username: "u", password: "p" },
        name: "main",
        database: 2,
        sentinelLogin: { username: "s", password: "&=" },
      },
    ],
    [
      "redis+sentinel://:p@a/main",
      {
        kind: "sentinel",
        tls: false,
        hosts: [{ host: "a", port: 26_379 }],
        login: { username: undefined, password: "p" },
        name: "main",
        database: 0,
        sentinelLogin: none,
      },
    ],
    [
      "redis+cluster://a,[2001:db8::1]:7",
      {
        kind: "cluster",
        tls: false,
        hosts: [
          { host: "a", port: 6_379 },
          { host: "2001:db8::1", port: 7 },
        ],
        login: none,
      },
    ],
  ])("%s is read", (text, url) => {
    expect(readRedisUrl(text)).toEqual(url);
  });

  it.each([
    ["", "begins with redis://"],
    ["cache:6379", "begins with redis://"],
    ["redis:cache", "begins with redis://"],
    ["http://c4n4ry", "begins with redis://"],
    ["redis:///0", "names a host"],
    ["redis://c4n4ry/x", "the number of a database"],
    ["redis://c4n4ry?a", "%3F"],
    ["redis://c4n4ry#a", "%23"],
    ["redis://:c4n/4ry@cache", "%2F"],
    ["redis://:%c4n4ry@cache", "%25"],
    ["redis://c4n4ry b", "letters"],
    ["redis://c4n4ry:0", "1 to 65535"],
    ["redis://c4n4ry:65536", "1 to 65535"],
    ["redis://[c4n4ry]:1", "no IPv6 address"],
    ["redis://c4n4ry,b", "redis+sentinel://"],
    ["redis+cluster://c4n4ry,", "names a host"],
    ["redis+cluster://c4n4ry/1", "database 0 only"],
    ["redis+cluster://c4n4ry?x=1", "%3F"],
    ["redis+sentinel://c4n4ry", "the name of the primary"],
    ["redis+sentinel://c4n4ry//0", "the name of the primary"],
    ["redis+sentinel://c4n4ry/a%20b", "letters"],
    ["redis+sentinel://c4n4ry/a/b", "the number of a database"],
    ["redis+sentinel://c4n4ry/a/1/2", "the number of a database"],
    ["redis+sentinel://c4n4ry/a?password=c4n4ry", "sentinel_password"],
    ["redis+sentinel://c4n4ry/a?sentinel_password=c4n4ry&sentinel_password=b", "once each"],
    ["redis-sentinel://c4n4ry/0?sentinelMasterId=a", "redis+sentinel://"],
    ["sentinel://:c4n4ry@a/0", "redis+sentinel://"],
    ["redis-cluster://c4n4ry", "redis+cluster://"],
  ])("%j is none, and is not quoted", (text, words) => {
    expect(redisUrlProblem(text)).toContain(words);
    expect(redisUrlProblem(text)).not.toContain("c4n4ry");
  });

  it("is judged, whatever it is, without quoting a password", () => {
    const password = fc.string({ minLength: 1, maxLength: 20 }).map((text) => `c4n4ry${text}c4n4ry`);
    const scheme = fc.constantFrom("redis", "rediss", "redis+sentinel", "rediss+cluster", "sentinel", "");
    fc.assert(
      fc.property(scheme, password, fc.string(), (start, secret, rest) => {
        expect(redisUrlProblem(`${start}://:${secret}@host${rest}`) ?? "").not.toContain("c4n4ry");
      }),
    );
  });

  it("holds any password, percent-encoded", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (secret) => {
        const url = readRedisUrl(`redis+cluster://u:${encodeURIComponent(secret)}@a,b`);
        expect(url).toMatchObject({ login: { username: "u", password: secret } });
      }),
    );
  });
});
