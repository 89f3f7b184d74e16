/** The real process with a route of every kind, each with a recorder for an upstream. */
import { readFileSync } from "node:fs";
import { type Serving, serve } from "../e2e/support/serve.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { createCertificates } from "../support/certificates.ts";
import { startHttp2Recorder } from "../support/http2-recorder.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";

/** One kind of route, and what it injects. */
export interface Lane {
  readonly name: string;
  /** What stands for `/api/`. */
  readonly prefix: string;
  readonly recorder: Recorder;
  /** The fields that every message has exactly once. */
  readonly injected: readonly (readonly [name: string, value: string])[];
  /** What this route needs of every request. */
  readonly field?: string;
}

export interface Lab extends AsyncDisposable {
  readonly pillion: Serving;
  readonly dataPort: number;
  readonly adminPort: number;
  readonly tokenEndpoint: ScriptedTokenEndpoint;
  readonly lanes: readonly Lane[];
  lane(name: string): Lane;
  /** Its credential has never been used: a dial or a token fetch for it shows. */
  readonly cold: Lane;
  /** A name that no request has had. */
  freshName(): string;
}

/** Every kind of route. */
export const LANE_NAMES = [
  "credential",
  "none",
  "static",
  "tenant by path",
  "tenant by header",
  "with upgrades",
  "over HTTP/2",
] as const;

/** @param extra further top-level keys of the configuration */
export async function startLab(extra = "", env: Readonly<Record<string, string>> = {}): Promise<Lab> {
  const tokenEndpoint = await startTokenEndpoint();
  tokenEndpoint.answer((request, count) => {
    const client = new URLSearchParams(request.body).get("client_id") ?? "";
    return granted({ access_token: `ours-${client}` })(request, count);
  });
  const recorders = await Promise.all(Array.from({ length: 7 }, () => startRecorder()));
  const [r0, r1, r2, r3, r4, r5, r6] = recorders;
  if (!r0 || !r1 || !r2 || !r3 || !r4 || !r5 || !r6) throw new Error("a recorder is missing");
  const workspace = createWorkspace();
  const { caFile, server } = createCertificates(workspace.path("tls"));
  const h2 = await startHttp2Recorder({
    cert: readFileSync(server.certFile),
    key: readFileSync(server.keyFile),
  });
  const lanes: readonly Lane[] = [
    { name: "credential", prefix: "/api/", recorder: r0, injected: [["authorization", "Bearer ours-main"]] },
    { name: "none", prefix: "/none/", recorder: r1, injected: [] },
    { name: "static", prefix: "/static/", recorder: r2, injected: [["x-api-key", "ours-key"]] },
    {
      name: "tenant by path",
      prefix: "/t/t1/",
      recorder: r3,
      injected: [["authorization", "Bearer ours-t1"]],
    },
    {
      name: "tenant by header",
      prefix: "/by-header/",
      recorder: r4,
      injected: [["authorization", "Bearer ours-t2"]],
      field: "X-Tenant: t2",
    },
    {
      name: "with upgrades",
      prefix: "/upgrade/",
      recorder: r6,
      injected: [["authorization", "Bearer ours-main"]],
    },
    { name: "over HTTP/2", prefix: "/h2/", recorder: h2, injected: [["authorization", "Bearer ours-main"]] },
  ];
  const oauth2 = `provider: oauth2, client_auth: post, token_url: "${tokenEndpoint.url}", client_secret: { env: SECRET }`;
  const pillion = await serve(
    `${extra}
admin_lifecycle: true
credentials:
  main: { ${oauth2}, client_id: main }
  cold: { ${oauth2}, client_id: cold }
  many: { ${oauth2}, tenants: { t1: { client_id: t1 }, t2: { client_id: t2 } } }
  key: { provider: static, header: X-API-Key, value: { env: KEY } }
routes:
  - { name: api, path: /api/, credential: main, upstream: "${r0.origin}" }
  - { name: none, path: /none/, credential: none, upstream: "${r1.origin}" }
  - { name: static, path: /static/, credential: key, upstream: "${r2.origin}" }
  - { name: tenant, path: "/t/{tenant}/", credential: many, upstream: "${r3.origin}" }
  - { name: by-header, path: /by-header/, credential: many, upstream: "${r4.origin}", tenant: { header: X-Tenant } }
  - { name: upgrade, path: /upgrade/, credential: main, upstream: "${r6.origin}", upgrade: true }
  - { name: h2, path: /h2/, credential: main, upstream: "${h2.origin}", http2: true, tls: { ca: "${caFile}" } }
  - { name: cold, path: /cold/, credential: cold, upstream: "${r5.origin}" }
`,
    { env: { SECRET: "fake-secret", KEY: "ours-key", ...env }, workspace },
  );
  let names = 0;
  return {
    pillion,
    freshName() {
      names += 1;
      return `canary-${names}`;
    },
    dataPort: Number(new URL(pillion.origin).port),
    adminPort: Number(new URL(pillion.adminOrigin).port),
    tokenEndpoint,
    lanes,
    lane(name) {
      const lane = lanes.find((each) => each.name === name);
      if (lane === undefined) throw new Error(`no lane ${name}`);
      return lane;
    },
    cold: { name: "cold", prefix: "/cold/", recorder: r5, injected: [["authorization", "Bearer ours-cold"]] },
    async [Symbol.asyncDispose]() {
      await pillion.stop();
      await tokenEndpoint.close();
      for (const recorder of [...recorders, h2]) await recorder[Symbol.asyncDispose]();
    },
  };
}

/** Rewrites bytes that are written for `/api/` so that they go to another route. */
export function onLane(bytes: string, { prefix, field }: Pick<Lane, "prefix" | "field">): string {
  const moved = bytes.replaceAll("/api/", prefix);
  return field === undefined
    ? moved
    : moved.replaceAll("\r\nHost: localhost\r\n", `\r\n${field}\r\nHost: localhost\r\n`);
}
