import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { loopbackOrigin } from "../../src/proxy/proxy-state.ts";
import { createSidecar, type Sidecar } from "../../src/sidecar.ts";
import type { Locality } from "../../src/transport/http-listener.ts";
import { startHttp2Recorder } from "../support/http2-recorder.ts";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { type Answer, connectRaw } from "../support/raw-client.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { aConfiguration, aRequest, ENV, type GeneratedRequest, keyOf, PUBLIC_HOST, parse } from "./cases.ts";

const CONFIGURATIONS = 40;
const REQUESTS = 30;

const clock = createSystemClock();

describe("what is explained of any request", () => {
  const { pem, certificates } = createHttp2Routes();
  const directory = mkdtempSync(join(tmpdir(), "pillion-explained-"));
  const socketPath = join(directory, "listen.sock");
  let recorders: readonly Recorder[];
  let endpoint: ScriptedTokenEndpoint;
  beforeAll(async () => {
    recorders = await Promise.all([startRecorder(), startHttp2Recorder(pem)]);
    endpoint = await startTokenEndpoint();
    endpoint.answer(granted());
  });
  afterAll(async () => {
    await Promise.all(recorders.map((recorder) => recorder[Symbol.asyncDispose]()));
    await endpoint.close();
    rmSync(directory, { recursive: true });
  });

  it("is what the sidecar does", async () => {
    const seen = new Map<string, number>();
    const [upstream = "", http2Upstream = ""] = recorders.map(({ origin }) => origin);
    const configuration = aConfiguration({
      upstream,
      http2Upstream,
      caFile: certificates.caFile,
      tokenUrl: endpoint.url.href,
      socketPath,
    });
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
            const at = placeOf(listen);
            for (const request of requests) {
              for (const outcome of await compare(config, withPort(request, at), at, recorders))
                seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
            }
          } finally {
            await sidecar.stop();
          }
        },
      ),
      { numRuns: CONFIGURATIONS },
    );
    for (const { faults } of recorders) expect(faults).toEqual([]);
    // Nothing of it is rare enough to be missed by chance.
    expect([...seen.keys()]).toEqual(expect.arrayContaining(["answered", ...COMMON_CODES]));
    expect(seen.get("forwarded")).toBeGreaterThan(60);
    for (const way of WAYS) expect(seen.get(way), way).toBeGreaterThan(0);
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

/** Ways of forwarding that are easily left out of what is generated. */
const WAYS = ["by HTTP/2", "from a Unix socket", "to the public host", "for a visitor"];

/** Where the sidecar listens. */
interface Listening extends Locality {
  /** As `connectRaw` takes it. */
  readonly to: number | string;
}

function placeOf(listen: string): Listening {
  if (listen.startsWith("unix:"))
    return { to: listen.slice("unix:".length), port: undefined, address: undefined };
  const port = Number(listen.split(":").at(-1));
  return { to: port, port, address: "127.0.0.1" };
}

/** A Unix socket has no port; a caller that names one all the same names any. */
function withPort(request: GeneratedRequest, { port = 8080 }: Listening): GeneratedRequest {
  const fields = request.fields.map(([name, value]) => [name, value.replace("PORT", String(port))] as const);
  return { ...request, fields };
}

/** Sends it and explains it; what came of it, in one word, and which ways were gone. */
async function compare(
  config: Config,
  request: GeneratedRequest,
  at: Listening,
  recorders: readonly Recorder[],
): Promise<readonly string[]> {
  for (const recorder of recorders) recorder.forget();
  const answer = await send(request, at.to);
  const { port, address } = at;
  const explained = await explainRequest(
    config,
    { ...request, locality: { port, address } },
    { clock, ownOrigin: () => loopbackOrigin(port) },
  );
  const story = JSON.stringify({ request, answer: [answer.status, answer.body], explained }, null, 1);
  const code = /details="(\w+)"/.exec(answer.field("proxy-status") ?? "")?.[1];
  const recorder = recorders.find(({ messages }) => messages.length > 0);
  const message = recorder?.messages[0];
  // What is assumed was wrong: such a token, or such a session, is refused or sent to the login.
  const isOutsider = code === "ACCESS_TOKEN_REQUIRED" || code === "LOGIN_REQUIRED" || answer.status === 303;
  if (explained.assumptions.length > 0 && isOutsider) return ["assumed"];

  if (recorder !== undefined && message !== undefined) {
    expect(explained.allowed, story).toBe(true);
    const { upstream, tenant } = explained;
    expect(upstream, story).toBe(`${new URL(recorder.origin).origin}${message.target}`);
    expect(`route-${/^\/b(\d+)/.exec(message.target)?.[1]}`, story).toBe(explained.route);
    expect(message.method, story).toBe(request.method);
    if (tenant !== undefined) expect(message.headers, story).toContain(keyOf(tenant));
    expect(namesOf(message.headers), story).toEqual(expectedNames(request, explained));
    return ["forwarded", ...waysOf(config, request, explained, recorder !== recorders[0])];
  }
  expect(explained.upstream, story).toBeUndefined();
  if (explained.code === undefined) {
    expect({ allowed: explained.allowed, code }, story).toEqual({
      allowed: true,
      code: own(explained, code),
    });
    if (explained.status !== undefined) expect(answer.status, story).toBe(explained.status);
    return ["answered"];
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
  return [explained.code];
}

function waysOf(
  { listen }: Config,
  { fields }: GeneratedRequest,
  { grant }: Explanation,
  isHttp2: boolean,
): readonly string[] {
  const host = fields.find(([name]) => name === "Host")?.[1];
  return [
    ...(isHttp2 ? ["by HTTP/2"] : []),
    ...(listen.kind === "unix" ? ["from a Unix socket"] : []),
    ...(host?.startsWith(PUBLIC_HOST) === true ? ["to the public host"] : []),
    ...(grant === "anonymous" ? ["for a visitor"] : []),
  ];
}

/** An endpoint's answer may be an error of its own, such as a callback without a login: it was reached all the same. */
function own({ steps }: Explanation, code: string | undefined): string | undefined {
  return steps.at(-1)?.step === "endpoint" && code === "LOGIN_FAILED" ? code : undefined;
}

async function send(
  { method, target, fields, body }: GeneratedRequest,
  to: number | string,
): Promise<Answer> {
  const client = await connectRaw(to);
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
