import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { startUpstream } from "../e2e/support/upstream.ts";
import { type Certificates, createCertificates } from "../support/certificates.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { examine, findingOf, inWords, upstream } from "./lab.ts";

describe("an upstream that is reached", () => {
  const directory = mkdtempSync(join(tmpdir(), "pillion-doctor-"));
  let certificates: Certificates;
  beforeAll(() => {
    certificates = createCertificates(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("gets one HEAD of its own path, without any credential", async () => {
    await using server = await startUpstream((_request, response) => response.writeHead(401).end());
    const text = `${upstream(`${server.origin}/v1/`)}  - { name: key, path: /key/, upstream: "${server.origin}/v1/", credential: key }
credentials: { key: { provider: static, header: X-API-Key, value: { env: SECRET } } }
`;
    const findings = await examine(text);
    expect(inWords(findingOf(findings, "upstream"))).toMatch(
      /^ok TCP \d+ ms, HTTP 401 to HEAD without a token$/,
    );
    expect(server.requests.map(({ method, target }) => `${method} ${target}`)).toEqual(["HEAD /v1/"]);
    expect(JSON.stringify(server.last().rawHeaders)).not.toMatch(/authorization|x-api-key|s3cret/i);
  });

  it("speaks HTTP/2 where the route asks for it; its certificate is told, and that it ends soon", async () => {
    const { certFile, keyFile } = certificates.server;
    await using server = await startHttp2Upstream(
      { cert: readFileSync(certFile), key: readFileSync(keyFile) },
      (stream) => {
        stream.respond({ ":status": 204 });
        stream.end();
      },
    );
    const findings = await examine(
      upstream(server.origin, `, http2: true, tls: { ca: ${certificates.caFile}, server_name: localhost }`),
    );
    const finding = findingOf(findings, "upstream");
    expect(inWords(finding)).toMatch(
      /^warning .*TLSv1\.3 \d+ ms \(server, signed by Throwaway CA, valid until .*HTTP\/2 204.*its certificate ends in 0 days \| /,
    );
    expect(finding.facts).toMatchObject({ http2: true, status: 204, certificate_subject: "server" });
    expect(server.requests.map((headers) => headers[":method"])).toEqual(["HEAD"]);
  });

  it("with an outage of its own is worth a warning", async () => {
    await using server = await startUpstream((_request, response) => response.writeHead(503).end());
    expect(inWords(findingOf(await examine(upstream(server.origin)), "upstream"))).toMatch(
      /^warning .*HTTP 503.*\| check its health/,
    );
  });

  it("tells what time it is, and a clock that is off by more than a minute is a failure", async () => {
    await using server = await startUpstream();
    const clock = createSystemClock();
    const findings = await examine(upstream(server.origin), {
      clock: { ...clock, wall: () => clock.wall() + 300_000 },
    });
    expect(inWords(findingOf(findings, "clock"))).toMatch(
      /^failure this machine's clock is (?:29[89]|300) s ahead of 127\.0\.0\.1:\d+ \| set it by NTP/,
    );
    expect(findingOf(findings, "clock").facts?.["skew_seconds"]).toBeGreaterThan(290);
  });
});
