import { describe, expect, it } from "vitest";
import { redisUrlProblem } from "../../src/config/redis-url.ts";

describe("a Redis URL", () => {
  it.each([
    "redis://:pw@cache:6380/15",
    "rediss://user:pw@cache",
    "redis://127.0.0.1/",
    "redis://[::1]:1",
    "REDIS://cache",
  ])("%s is one", (text) => {
    expect(redisUrlProblem(text)).toBeUndefined();
  });

  it.each([
    "",
    "cache:6379",
    "redis:cache",
    "redis:///0",
    "http://c4n4ry",
    "redis://c4n4ry/x",
    "redis://c4n4ry?a",
    "redis://c4n4ry#a",
    "redis://c4n4ry b",
  ])("%j is none, and is not quoted", (text) => {
    expect(redisUrlProblem(text)).toMatch(/Redis URL|redis:\/\//);
    expect(redisUrlProblem(text)).not.toContain("c4n4ry");
  });
});
