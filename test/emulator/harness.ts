import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";
import { CLIENTS, type EmulatedClient } from "../../src/emulator/clients.ts";
import { createEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/emulator.ts";

/** A Friday, 08:00 UTC. */
export const START_MS = Date.UTC(2027, 0, 15, 8);

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly json: any;
}

interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer | undefined;
  /** Without Content-Length, though the body has an end. */
  readonly chunked?: boolean;
}

/** One request on a connection of its own, with the target sent as written. */
export function send(
  url: string,
  { method = "GET", headers = {}, body, chunked = false }: RequestOptions = {},
): Promise<Reply> {
  const origin = /^http:\/\/[^/]+/.exec(url)?.[0] ?? "";
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(origin, { method, path: url.slice(origin.length), headers, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const raw = Buffer.concat(chunks);
        const text = (response.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw).toString();
        const isJson = response.headers["content-type"] === "application/json" && text !== "";
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          bytes: raw.length,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
    });
    // Framed by length, so that a GET may have a body too.
    if (chunked) outgoing.setHeader("Transfer-Encoding", "chunked");
    else if (body !== undefined) outgoing.setHeader("Content-Length", Buffer.byteLength(body));
    outgoing.end(body);
  });
}

export interface Bench extends AsyncDisposable {
  readonly emulator: Emulator;
  advance(ms: number): void;
  /** A fresh token of the client, all its scopes or those given. */
  token(clientName: string, scopes?: readonly string[]): Promise<string>;
  /** A request to the client's API with a fresh token, unless `headers` has an authorization of its own. */
  call(clientName: string, path: string, options?: RequestOptions): Promise<Reply>;
}

export function client(name: string): EmulatedClient {
  const found = CLIENTS.find((known) => known.name === name);
  if (found === undefined) throw new Error(`no client ${name}`);
  return found;
}

export function basic(clientId: string, clientSecret: string): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}`;
}

/** A started emulator with a clock that the test turns. */
export async function startBench(options: EmulatorOptions = {}): Promise<Bench> {
  let nowMs = START_MS;
  const emulator = createEmulator({ now: () => nowMs, ...options });
  await emulator.start();

  async function token(clientName: string, scopes?: readonly string[]): Promise<string> {
    const { clientId, clientSecret, service, account, scopes: granted } = client(clientName);
    const { tokenUrl } = emulator.endpoints[service];
    let reply: Reply;
    if (account === undefined) {
      const audience =
        service === "zocdoc/sandbox"
          ? "https://api-developer-sandbox.zocdoc.com/"
          : "https://api-developer.zocdoc.com/";
      reply = await send(tokenUrl, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          grant_type: "client_credentials",
          client_id: clientId,
          client_secret: clientSecret,
          audience,
        }),
      });
    } else {
      nowMs += 1_000; // Qmatic's limit of one request per second
      reply = await send(tokenUrl, {
        method: "POST",
        headers: {
          Authorization: basic(clientId, clientSecret),
          "X-ACCOUNT": account,
          "Content-Type": "application/x-www-form-urlencoded",
        },
        body: new URLSearchParams({
          grant_type: "client_credentials",
          scope: (scopes ?? granted).join(" "),
        }).toString(),
      });
    }
    if (reply.status !== 200) throw new Error(`no token: ${reply.status} ${reply.text}`);
    return reply.json.access_token;
  }

  return {
    emulator,
    advance: (ms) => {
      nowMs += ms;
    },
    token,
    async call(clientName, path, options = {}) {
      const { service, tenantId } = client(clientName);
      const headers: Record<string, string | string[]> = { ...options.headers };
      headers["Authorization"] ??= `Bearer ${await token(clientName)}`;
      if (tenantId !== undefined) headers["X-TENANT-ID"] ??= tenantId;
      return send(emulator.endpoints[service].apiUrl + path, { ...options, headers });
    },
    [Symbol.asyncDispose]: () => emulator.stop(),
  };
}
