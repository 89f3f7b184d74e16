import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import {
  type RedisCluster,
  type SentinelSetup,
  startRedisCluster,
  startSentinelSetup,
} from "../support/redis-topologies.ts";
import { examine, findingOf, inWords } from "./lab.ts";

const env = { KEY: randomBytes(32).toString("base64"), PASSWORD: "canary" };

async function said(url: string): Promise<string> {
  const text = `store: { redis: { url: { env: REDIS_URL } }, encryption_keys: [{ env: KEY }] }\n`;
  const finding = findingOf(await examine(text, { env: { ...env, REDIS_URL: url } }), "store");
  const words = inWords(finding);
  expect(words).not.toContain("canary");
  return words;
}

describe("of a store with Sentinels doctor says", () => {
  let setup: SentinelSetup;
  beforeAll(async () => {
    setup = await startSentinelSetup();
  });
  afterAll(() => setup.stop());
  const sentinel = () => `127.0.0.1:${setup.sentinelPorts[0]}`;

  it("that a record was written and read", async () => {
    expect(await said(setup.url)).toMatch(
      /^ok redis: a sealed record was written, read and removed in \d+ ms$/,
    );
  });

  it("that no Sentinel answers", async () => {
    expect(await said("redis+sentinel://127.0.0.1:9,127.0.0.1:7/mymaster")).toMatch(
      /^failure redis: no Sentinel names the primary: .*ECONNREFUSED.*\| check that the Sentinels in store\.redis\.url run/,
    );
  });

  it("that they know no such name", async () => {
    expect(await said(`redis+sentinel://${sentinel()}/other`)).toMatch(
      /^failure redis: .*it knows no primary of the name.*\| write the name of `sentinel monitor NAME/,
    );
  });

  it("that a Sentinel or the primary asks for a password", async () => {
    await setup.protect("sentinel-canary", "primary-canary");
    expect(await said(`redis+sentinel://${sentinel()}/mymaster`)).toMatch(
      /^failure redis: .*it asks for a password of its own.*\| check the user and the password/,
    );
    expect(await said(`redis+sentinel://${sentinel()}/mymaster?sentinel_password=canary-2`)).toMatch(
      /^failure redis: no Sentinel names the primary: .*WRONGPASS.*\| check the user and the password/,
    );
    expect(await said(`redis+sentinel://${sentinel()}/mymaster?sentinel_password=sentinel-canary`)).toMatch(
      /^failure redis: it answers NOAUTH.*\| check the user and the password/,
    );
  });
});

describe("of a store in a cluster doctor says", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  it("that each node has written and read", async () => {
    expect(await said(cluster.url)).toMatch(
      /^ok redis: a sealed record was written, read and removed at each of 3 nodes in \d+ ms$/,
    );
  });

  it("that one node asks for a password", async () => {
    const [, , last] = cluster.primaries as [RedisServer, RedisServer, RedisServer];
    await last.command("CONFIG", "SET", "requirepass", "canary");
    expect(await said(cluster.url)).toMatch(
      new RegExp(
        `^failure redis: 127\\.0\\.0\\.1:${last.port}: it answers NOAUTH.*\\| check the user and the password`,
      ),
    );
  });

  it("which of its nodes is down, and that none answers", async () => {
    const [, second] = cluster.primaries as [RedisServer, RedisServer];
    await second.kill();
    expect(await said(cluster.url)).toMatch(/^failure redis: 127\.0\.0\.1:\d+: .*\| check/);
    expect(await said("redis+cluster://127.0.0.1:9")).toMatch(
      /^failure redis: no node gives the cluster's map: .*ECONNREFUSED.*\| check that the nodes in store\.redis\.url/,
    );
  });

  it("that parts of it are nowhere, and that a single Redis is none", async () => {
    await using alone = await startRedisServer({ config: ["--cluster-enabled", "yes"] });
    expect(await said(`redis+cluster://127.0.0.1:${alone.port}`)).toMatch(
      /^failure redis: .*a cluster without slots.*\| `redis-cli --cluster check HOST:PORT` shows/,
    );
    await alone.command("CLUSTER", "ADDSLOTSRANGE", "0", "100");
    expect(await said(`redis+cluster://127.0.0.1:${alone.port}`)).toMatch(
      /^failure redis: a part of the cluster's keys is at no node.*\| `redis-cli --cluster check HOST:PORT` shows/,
    );
    await using single = await startRedisServer();
    expect(await said(`redis+cluster://127.0.0.1:${single.port}`)).toMatch(
      /^failure redis: .*a single Redis is written redis:.*\| correct store\.redis\.url/,
    );
  });
});
