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
    expect(parseRedisUrl(url, undefined)).toMatchObject(address);
  });

  it("takes the name of the handshake from the TLS options", () => {
    const { tls } = parseRedisUrl("rediss://127.0.0.1", { ...NO_TLS, serverName: "redis.internal" });
    expect(tls).toEqual({ servername: "redis.internal" });
  });

  it.each([
    ["no URL:canary", "it is not a URL"],
    ["http://:canary@r", "its scheme is neither redis: nor rediss:"],
    ["redis:///canary", "it names no host"],
    ["redis://:canary@r/sessions", "what follows the host is not the number of a database"],
    ["redis://:canary@r?db=1", "it has a query or a fragment"],
    ["redis://:canary%@r", "a % in its user or password is written %25"],
  ])("%s is refused, without being repeated", (url, reason) => {
    const parse = () => parseRedisUrl(url, undefined);
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(reason);
    expect(parse).not.toThrow("canary");
  });

  it("does not leave TLS options unused, nor a missing file unnamed", () => {
    expect(() => parseRedisUrl("redis://r", NO_TLS)).toThrow("`store.redis.tls` goes with rediss: only");
    expect(() => parseRedisUrl("rediss://r", { ...NO_TLS, ca: "/none.pem" })).toThrow(
      "store.redis.tls: /none.pem cannot be read (ENOENT)",
    );
  });
});
