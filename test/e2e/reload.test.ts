import { renameSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { createKeptConnection, send } from "./support/http-client.ts";
import { type Metrics, scrape } from "./support/metrics.ts";
import { FREE_PORTS, type Serving, serve } from "./support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace, type Workspace } from "./support/workspace.ts";

let tokenEndpoint: ScriptedTokenEndpoint;
let upstream: Upstream;
let workspace: Workspace;
let pillion: Serving;
beforeEach(async () => {
  tokenEndpoint = await startTokenEndpoint();
  tokenEndpoint.answer(granted());
  upstream = await startUpstream();
  workspace = createWorkspace();
});
afterEach(async () => {
  await pillion.stop();
  await upstream.close();
  await tokenEndpoint.close();
  workspace.remove();
});

/** Clients that keep `count` requests in flight until they are told to end; gives what went wrong. */
function startLoad(url: string, count: number): { end(): Promise<{ served: number; errors: string[] }> } {
  const errors: string[] = [];
  let served = 0;
  let ended = false;
  const client = async (): Promise<void> => {
    const agent = createKeptConnection();
    while (!ended) {
      await send(url, { agent }).then(
        ({ status, text }) => {
          if (status === 200) served += 1;
          else errors.push(`${status} ${text}`);
        },
        (error: unknown) => void errors.push(String(error)),
      );
    }
    agent.destroy();
  };
  const clients = Array.from({ length: count }, client);
  return {
    async end() {
      ended = true;
      await Promise.all(clients);
      return { served, errors };
    },
  };
}

const metrics = (): Promise<Metrics> => scrape(pillion.adminOrigin);

function configuration(mark: string, more = ""): string {
  return `${FREE_PORTS}credentials:
  billing:
    provider: oauth2
    token_url: ${tokenEndpoint.url}
    client_auth: post
    client_id: client
    client_secret: { file: ../secrets/client-secret }
routes:
  - name: billing
    path: /billing/
    credential: billing
    upstream: ${upstream.origin}/
    request_headers: { set: { X-Mark: "${mark}" } }
${more}`;
}

describe("C02, C04: volumes that Kubernetes swaps under load", () => {
  const secretOf = (body: string | undefined): string | null =>
    new URLSearchParams(body).get("client_secret");

  it("bring a new secret and a new configuration into use within 5 s, and no request fails", async () => {
    const secrets = workspace.mount("secrets", { "client-secret": "fake-first\n" });
    const config = workspace.mount("config", { "pillion.yaml": configuration("first") });
    pillion = await serve("", { workspace, args: ["-c", config.path("pillion.yaml")] });
    upstream.respond((request, response) => {
      setTimeout(() => answerOk(request, response), 25);
    });
    const load = startLoad(`${pillion.origin}/billing/x`, 50);
    await upstream.received(100);
    expect(secretOf(tokenEndpoint.requests[0]?.body)).toBe("fake-first");

    secrets.swap({ "client-secret": "fake-second\n" });
    await eventually("the new secret's token is in use", async () => {
      const asked = secretOf(tokenEndpoint.requests.at(-1)?.body) === "fake-second";
      return asked && upstream.last().headers.authorization === "Bearer token-2";
    });
    const afterSecret = await metrics();
    expect(afterSecret.total("pillion_secret_reloads_total", { outcome: "success" })).toBe(1);

    config.swap({ "pillion.yaml": configuration("second") });
    await eventually("the new configuration is in use", async () => {
      return upstream.last().headers["x-mark"] === "second";
    });
    const reloads = (await metrics()).total("pillion_config_reloads_total", { outcome: "success" });
    expect(reloads - afterSecret.total("pillion_config_reloads_total", { outcome: "success" })).toBe(1);

    const { served, errors } = await load.end();
    expect(errors).toEqual([]);
    expect(served).toBeGreaterThan(150);
    expect(tokenEndpoint.requests, "a reload fetches no token anew").toHaveLength(2);
    const total = (await metrics()).total("pillion_requests_total", { route: "billing", code: "200" });
    expect(total).toBe(served);
  });

  it("are followed again and again", async () => {
    const secrets = workspace.mount("secrets", { "client-secret": "fake-0" });
    const config = workspace.mount("config", { "pillion.yaml": configuration("0") });
    pillion = await serve("", { workspace, args: ["-c", config.path("pillion.yaml")] });
    for (const round of ["1", "2", "3", "4"]) {
      config.swap({ "pillion.yaml": configuration(round) });
      secrets.swap({ "client-secret": `fake-${round}` });
      await eventually(`round ${round} is in use`, async () => {
        expect((await send(`${pillion.origin}/billing/x`)).status).toBe(200);
        const asked = secretOf(tokenEndpoint.requests.at(-1)?.body);
        return upstream.last().headers["x-mark"] === round && asked === `fake-${round}`;
      });
    }
  });
});

describe("a configuration that changes", () => {
  beforeEach(() => {
    workspace.write("secrets/client-secret", "fake-secret");
  });

  async function start(text: string): Promise<void> {
    const file = workspace.write("config/pillion.yaml", text);
    pillion = await serve("", { workspace, args: ["-c", file] });
    expect((await send(`${pillion.origin}/billing/x`)).status).toBe(200);
  }

  it("C01: and is broken leaves the last good one in use, says so, and is forgiven once it is mended", async () => {
    await start(configuration("good"));
    workspace.write(
      "config/pillion.yaml",
      configuration("bad").replace("credential: billing", "credential: biling"),
    );
    const line = await pillion.logged("config_reload_failed");
    expect(line).toMatchObject({ level: "error" });
    expect(line["error"]).toMatch(/pillion\.yaml:13:17 routes\[0\]\.credential: .*did you mean "?billing"?/);
    expect((await send(`${pillion.origin}/billing/x`)).status).toBe(200);
    expect(upstream.last().headers["x-mark"]).toBe("good");
    const failed = await metrics();
    expect(failed.total("pillion_config_last_reload_successful")).toBe(0);
    expect(failed.total("pillion_config_reloads_total", { outcome: "failure" })).toBe(1);
    expect((await send(`${pillion.adminOrigin}/readyz`)).status, "it still serves").toBe(200);

    // As editors do it: a new file takes the old one's name.
    renameSync(
      workspace.write("config/new.yaml", configuration("mended")),
      workspace.path("config/pillion.yaml"),
    );
    await eventually("the mended configuration is in use", async () => {
      await send(`${pillion.origin}/billing/x`);
      return upstream.last().headers["x-mark"] === "mended";
    });
    const mended = await metrics();
    expect(mended.total("pillion_config_last_reload_successful")).toBe(1);
    const stamp = "pillion_config_last_reload_success_timestamp_seconds";
    expect(mended.total(stamp)).toBeGreaterThan(failed.total(stamp));
  });

  it("and names a secret that cannot be read is refused as a whole", async () => {
    await start(configuration("good"));
    const next = configuration("bad").replace("secrets/client-secret", "secrets/missing");
    workspace.write("config/pillion.yaml", next);
    const line = await pillion.logged("config_reload_failed");
    expect(line["error"]).toMatch(/secrets\/missing: no such file/);
    expect((await send(`${pillion.origin}/billing/x`)).status).toBe(200);
    expect(upstream.last().headers["x-mark"]).toBe("good");
  });

  it("and names what is mounted only later is refused once, and taken when it is there", async () => {
    await start(configuration("good"));
    const next = configuration("late").replace("../secrets/client-secret", "../mounted-later/secret");
    workspace.write("config/pillion.yaml", next);
    await pillion.logged("config_reload_failed");
    workspace.write("mounted-later/secret", "fake-late");
    await pillion.logged("config_reloaded");
    await send(`${pillion.origin}/billing/x`);
    expect(upstream.last().headers["x-mark"]).toBe("late");
    expect((await metrics()).total("pillion_config_reloads_total", { outcome: "failure" })).toBe(1);
  });

  it("is read at SIGHUP where nobody watches", async () => {
    await start(configuration("first", "reload: { watch: false }\n"));
    workspace.write("config/pillion.yaml", configuration("second", "reload: { watch: false }\n"));
    pillion.signal("SIGHUP");
    await pillion.logged("config_reloaded");
    await send(`${pillion.origin}/billing/x`);
    expect(upstream.last().headers["x-mark"]).toBe("second");
  });

  it("adds and removes routes, and a request in flight ends as it began", async () => {
    await start(configuration("first"));
    const held = Promise.withResolvers<void>();
    upstream.respond((request, response) => void held.promise.then(() => answerOk(request, response)));
    const inFlight = send(`${pillion.origin}/billing/slow`);
    await upstream.received(2);
    workspace.write("config/pillion.yaml", configuration("second").replaceAll("/billing/", "/invoices/"));
    await pillion.logged("config_reloaded");
    expect((await send(`${pillion.origin}/billing/x`)).json).toMatchObject({ code: "ROUTE_NOT_FOUND" });
    held.resolve();
    expect((await inFlight).status).toBe(200);
    expect((await send(`${pillion.origin}/invoices/x`)).status).toBe(200);
  });

  it.each([
    ["POST /-/reload", false, 403],
    ["POST /-/reload", true, 200],
  ])("%s with admin_lifecycle: %s answers %i", async (_name, lifecycle, status) => {
    const settings = `reload: { watch: false }\n${lifecycle ? "admin_lifecycle: true\n" : ""}`;
    await start(configuration("first", settings));
    workspace.write("config/pillion.yaml", configuration("second", settings));
    const reply = await send(`${pillion.adminOrigin}/-/reload`, { method: "POST" });
    expect(reply.status).toBe(status);
    await send(`${pillion.origin}/billing/x`);
    expect(upstream.last().headers["x-mark"]).toBe(lifecycle ? "second" : "first");
    expect((await send(`${pillion.adminOrigin}/-/reload`)).status).toBe(405);
  });

  it("and is broken makes POST /-/reload fail with what is wrong", async () => {
    await start(configuration("first", "reload: { watch: false }\nadmin_lifecycle: true\n"));
    workspace.write("config/pillion.yaml", "routes: 3\n");
    const reply = await send(`${pillion.adminOrigin}/-/reload`, { method: "POST" });
    expect(reply.status).toBe(500);
    expect(reply.text).toMatch(/pillion\.yaml:1:9 routes: /);
  });

  it("ends the process with POST /-/quit", async () => {
    await start(configuration("first", "admin_lifecycle: true\n"));
    expect((await send(`${pillion.adminOrigin}/-/quit`, { method: "POST" })).status).toBe(200);
    expect(await pillion.exited()).toBe(0);
  });
});
