import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/fault.ts";
import { parseRedisUrl } from "../../src/store/redis-address.ts";

const NO_TLS = { ca: undefined, cert: undefined, key: undefined, serverName: undefined };

describe("the URL of Redis", () => {
  it.each([
    ["redis://localhost", { host: "localhost", port: 6379, database: 0, tls: undefined }],
    ["redis://10.0.0.7:7000/3", { host: "10.0.0.7", port: 7000, database: 3 }],
    ["redis://[::1]:6380", { host: "::1", port: 6380 }],
    ["redis://:p%40ss@r", { username: undefined, password: "p@ss" }],
    ["redis://user:p%25w@r/", { username: "user", password: "p%w" }],
    ["rediss://r.example", { tls: { servername: "r.example" } }],
    ["rediss://127.0.0.1", { tls: {} }],
  ])("%s", (url, address) => {
    expect(parseRedisUrl(url, undefined)).toMatchObject({ kind: "single", address });
  });

  it("of Sentinels logs in to them and to the primary as each is told", () => {
    const servers = parseRedisUrl(
      "rediss+sentinel://u:p@s.example,127.0.0.1:1/main/2?sentinel_password=q",
      undefined,
    );
    if (servers.kind !== "sentinel") throw new Error(servers.kind);
    expect(servers).toMatchObject({
      name: "main",
      sentinels: [
        {
          host: "s.example",
          port: 26_379,
          username: undefined,
          password: "q",
          database: 0,
          tls: { servername: "s.example" },
        },
        { host: "127.0.0.1", port: 1, password: "q", tls: {} },
      ],
    });
    expect(servers.primaryAt({ host: "p.example", port: 7 })).toEqual({
      ...{ host: "p.example", port: 7, username: "u", password: "p", database: 2 },
      tls: { servername: "p.example" },
    });
  });

  it("of a cluster logs in to every node alike", () => {
    const servers = parseRedisUrl("redis+cluster://u:p@a,b:7", undefined);
    if (servers.kind !== "cluster") throw new Error(servers.kind);
    const login = { username: "u", password: "p", database: 0, tls: undefined };
    expect(servers.seeds).toEqual([
      { host: "a", port: 6379, ...login },
      { host: "b", port: 7, ...login },
    ]);
    expect(servers.nodeAt({ host: "::1", port: 8 })).toEqual({ host: "::1", port: 8, ...login });
  });

  it("takes the name of the handshake from the TLS options", () => {
    const servers = parseRedisUrl("rediss://127.0.0.1", { ...NO_TLS, serverName: "redis.internal" });
    expect(servers).toMatchObject({ address: { tls: { servername: "redis.internal" } } });
  });

  it.each([
    ["no URL:canary", "expected a URL that begins with redis://"],
    ["redis://:canary@r/sessions", "the number of a database"],
    ["redis+sentinel://:canary@r", "the name of the primary"],
  ])("%s is refused, without being repeated", (url, reason) => {
    const parse = () => parseRedisUrl(url, undefined);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(`store.redis.url: `);
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow("canary");
  });

  it("does not leave TLS options unused, nor a missing file unnamed", () => {
    for (const url of ["redis://r", "redis+cluster://r", "redis+sentinel://r/a"]) {
      expect(() => parseRedisUrl(url, NO_TLS)).toThrow("`store.redis.tls` goes with rediss: only");
    }
    expect(() => parseRedisUrl("rediss+cluster://r", { ...NO_TLS, ca: "/none.pem" })).toThrow(
      "store.redis.tls: /none.pem cannot be read (ENOENT)",
    );
  });
});
