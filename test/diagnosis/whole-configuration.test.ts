import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { subjectName } from "../../src/diagnosis/finding.ts";
import { startUpstream, type Upstream } from "../e2e/support/upstream.ts";
import {
  granted,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { examine } from "./lab.ts";

const INTERVAL_MS = 200;

describe("a whole configuration", () => {
  let server: ScriptedTokenEndpoint;
  let upstream: Upstream;
  beforeAll(async () => {
    [server, upstream] = await Promise.all([startTokenEndpoint(), startUpstream()]);
  });
  afterAll(async () => {
    await server.close();
    await upstream.close();
  });

  const tenants = (names: readonly string[]): string =>
    names.map((name) => `${name}: { client_id: ${name}, client_secret: { env: SECRET } }`).join(", ");
  const text = (): string => `credentials:
  slow: { provider: oauth2, token_url: "${server.url}?slow", client_id: c, client_secret: { env: SECRET } }
  many: { provider: oauth2, token_url: "${server.url}", token_requests_per_second: ${1_000 / INTERVAL_MS}, tenants: { ${tenants(["b", "a", "c"])} } }
routes:
  - { name: one, path: /one/, upstream: "${upstream.origin}/one/", credential: slow }
  - { name: two, path: "/two/{tenant}/", upstream: "${upstream.origin}/two/", credential: many }
  - { name: three, path: /three/, upstream: "http://127.0.0.1:9/", credential: none }
`;

  it("is examined side by side, each thing once, and told in its own order", async () => {
    const finished: string[] = [];
    let planned: readonly string[] = [];
    const sentAtMs: number[] = [];
    server.answer((request, count) => {
      const answer = granted()(request, count);
      if (!request.path.endsWith("?slow")) {
        sentAtMs.push(performance.now());
        return answer;
      }
      // Answered only when everything else has been.
      return { ...answer, after: server.received(4) };
    });
    const begunAtMs = performance.now();
    const findings = await examine(text(), {
      observer: {
        planned: (subjects) => {
          planned = subjects.map(subjectName);
        },
        finished: ({ subject }) => void finished.push(subjectName(subject)),
      },
    });
    expect(findings.map(({ subject, status }) => `${status} ${subjectName(subject)}`)).toEqual([
      "ok store",
      "ok credential slow",
      "ok credential many, tenant b",
      "ok credential many, tenant a",
      "ok credential many, tenant c",
      `ok upstream ${upstream.origin} (routes one, two)`,
      "failure upstream http://127.0.0.1:9 (route three)",
      "ok clock",
    ]);
    expect(planned).toEqual(findings.map(({ subject }) => subjectName(subject)));
    expect(finished).toHaveLength(planned.length);
    expect(upstream.requests).toHaveLength(1);
    expect(server.requests).toHaveLength(4);
    // Spaced as those that serve are: two intervals lie between the first of the tenants and the last.
    expect(Math.max(...sentAtMs) - begunAtMs).toBeGreaterThan(2 * INTERVAL_MS);
  });

  it("has one finding for each tenant that is refused, beside those that are not", async () => {
    server.answer((request, count) =>
      Buffer.from((request.headers.authorization ?? "").slice(6), "base64")
        .toString()
        .startsWith("a:")
        ? refused(400, "unauthorized_client")
        : (granted()(request, count) as ReturnType<typeof refused>),
    );
    const findings = await examine(text());
    const failed = findings.filter(({ status }) => status === "failure");
    expect(failed.map(({ subject }) => subjectName(subject))).toEqual([
      "credential many, tenant a",
      "upstream http://127.0.0.1:9 (route three)",
    ]);
  });
});
