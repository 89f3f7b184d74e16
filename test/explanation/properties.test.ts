import { randomBytes, randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { systemFiles } from "../../src/config/files.ts";
import { createSecretSource } from "../../src/config/secret-source.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { openValve } from "../../src/core/memory-valve.ts";
import { explainRequest } from "../../src/explanation/explain-request.ts";
import type { Explanation } from "../../src/explanation/explanation.ts";
import { createSidecar, type Sidecar } from "../../src/sidecar.ts";
import { type Answer, connectRaw } from "../support/raw-client.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { aConfiguration, aRequest, ENV, type GeneratedRequest, keyOf, parse } from "./cases.ts";

const CONFIGURATIONS = 30;
const REQUESTS = 30;

const clock = createSystemClock();

describe("what is explained of any request", () => {
  let recorder: Recorder;
  let endpoint: ScriptedTokenEndpoint;
  beforeAll(async () => {
    recorder = await startRecorder();
    endpoint = await startTokenEndpoint();
    endpoint.answer(granted());
  });
  afterAll(async () => {
    await recorder[Symbol.asyncDispose]();
    await endpoint.close();
  });

  it("is what the sidecar does", async () => {
    const seen = new Map<string, number>();
    const configuration = aConfiguration(recorder.origin, endpoint.url.href);
    await fc.assert(
      fc.asyncProperty(
        configuration,
        fc.array(aRequest, { minLength: REQUESTS, maxLength: REQUESTS }),
        async (text, requests) => {
          const { config, faults } = parse(text);
          if (config === undefined) throw new Error(JSON.stringify(faults));
          const sidecar = startSidecar(config);
          try {
            const { listen } = await sidecar.start();
            const port = Number(listen.split(":").at(-1));
            for (const request of requests) {
              const outcome = await compare(config, withPort(request, port), port, recorder);
              seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
            }
          } finally {
            await sidecar.stop();
          }
        },
      ),
      { numRuns: CONFIGURATIONS },
    );
    expect(recorder.faults).toEqual([]);
    // Nothing of it is rare enough to be missed by chance.
    expect([...seen.keys()]).toEqual(expect.arrayContaining(["answered", ...COMMON_CODES]));
    expect(seen.get("forwarded")).toBeGreaterThan(60);
  }, 60_000);
});

const COMMON_CODES = [
  "HOST_NOT_ALLOWED",
  "ORIGIN_NOT_ALLOWED",
  "ACCESS_TOKEN_REQUIRED",
  "TARGET_INVALID",
  "REQUEST_INVALID",
  "ROUTE_NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "OPERATION_DENIED",
  "TENANT_UNKNOWN",
  "LOGIN_REQUIRED",
];

function startSidecar(config: Config): Sidecar {
  return createSidecar(config, {
    clock,
    random: Math.random,
    randomBytes,
    log: silentLogger,
    memory: openValve,
    secrets: createSecretSource({ env: ENV, files: systemFiles, log: silentLogger }),
    build: { version: "0.0.0", node: process.version },
    requestId: randomUUID,
    reload: async () => {},
    quit() {},
  });
}

function withPort(request: GeneratedRequest, port: number): GeneratedRequest {
  const fields = request.fields.map(([name, value]) => [name, value.replace("PORT", String(port))] as const);
  return { ...request, fields };
}

/** Sends it and explains it; what came of it, in one word. */
async function compare(
  config: Config,
  request: GeneratedRequest,
  port: number,
  recorder: Recorder,
): Promise<string> {
  recorder.forget();
  const answer = await send(request, port);
  const explained = await explainRequest(
    config,
    { ...request, locality: { port, address: "127.0.0.1" } },
    { clock, ownOrigin: () => `http://localhost:${port}` },
  );
  const story = JSON.stringify({ request, answer: [answer.status, answer.body], explained }, null, 1);
  const code = /details="(\w+)"/.exec(answer.field("proxy-status") ?? "")?.[1];
  const [message] = recorder.messages;
  // What is assumed was wrong: such a token, or such a session, is refused or sent to the login.
  const isOutsider = code === "ACCESS_TOKEN_REQUIRED" || code === "LOGIN_REQUIRED" || answer.status === 303;
  if (explained.assumptions.length > 0 && isOutsider) return "assumed";

  if (message !== undefined) {
    expect(explained.allowed, story).toBe(true);
    const { upstream, tenant } = explained;
    expect(upstream, story).toBe(`${new URL(recorder.origin).origin}${message.target}`);
    expect(`route-${/^\/b(\d+)/.exec(message.target)?.[1]}`, story).toBe(explained.route);
    expect(message.method, story).toBe(request.method);
    if (tenant !== undefined) expect(message.headers, story).toContain(keyOf(tenant));
    expect(namesOf(message.headers), story).toEqual(expectedNames(request, explained));
    return "forwarded";
  }
  expect(explained.upstream, story).toBeUndefined();
  if (explained.code === undefined) {
    expect({ allowed: explained.allowed, code }, story).toEqual({
      allowed: true,
      code: own(explained, code),
    });
    if (explained.status !== undefined) expect(answer.status, story).toBe(explained.status);
    return "answered";
  }
  // A page that is sent to the login is not told a code.
  if (explained.status === 303) expect(answer.status, story).toBe(303);
  else
    expect({ code, status: answer.status }, story).toEqual({
      code: explained.code,
      status: explained.status,
    });
  expect(explained.allowed, story).toBe(false);
  expect(explained.remedy?.hint, story).toMatch(/\w/);
  expect(explained.steps.at(-1)?.ok, story).toBe(false);
  return explained.code;
}

/** An endpoint's answer may be an error of its own, such as a callback without a login: it was reached all the same. */
function own({ steps }: Explanation, code: string | undefined): string | undefined {
  return steps.at(-1)?.step === "endpoint" && code === "LOGIN_FAILED" ? code : undefined;
}

async function send({ method, target, fields, body }: GeneratedRequest, port: number): Promise<Answer> {
  const client = await connectRaw(port);
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  client.socket.write(Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n${body}`));
  try {
    for (;;) {
      const answer = await client.answer();
      if (answer.status >= 200) return answer;
    }
  } finally {
    client.socket.destroy();
  }
}

/** Made for the next hop by the HTTP client, whatever the caller sent. */
const FRAMING = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "upgrade",
  "expect",
]);

function namesOf(headers: readonly string[]): readonly string[] {
  const names = headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  return [...new Set(names)].filter((name) => !FRAMING.has(name)).sort();
}

function expectedNames({ fields }: GeneratedRequest, { headers }: Explanation): readonly string[] {
  const removed = new Set(headers.removed.map((name) => name.toLowerCase()));
  const passed = fields.map(([name]) => name).filter((name) => !removed.has(name.toLowerCase()));
  return namesOf([...passed, ...headers.set].flatMap((name) => [name, ""]));
}
