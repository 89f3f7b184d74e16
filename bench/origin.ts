/**
 * The upstream of the benchmarks, and the token endpoint beside it. Not measured, but the same for every contender.
 *
 *     BENCH_TOKEN=… node bench/origin.ts [--cert FILE --key FILE]     → {"port":…,"tokenPort":…}
 *
 * - `GET /api/json`: 1 KiB of JSON, or 401 without the right bearer token, so that no contender wins by not injecting
 * - `PUT /api/upload`: the SHA-256 of the body
 * - `GET /api/download?bytes=N`: N bytes, the SHA-256 of which is in the trailer-free field `X-Sha256`
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { pattern, patternSha256 } from "./pattern.ts";

const { values } = parseArgs({ options: { cert: { type: "string" }, key: { type: "string" } } });
const token = process.env["BENCH_TOKEN"] ?? "";
const authorization = `Bearer ${token}`;
const json = JSON.stringify({ data: "x".repeat(1024 - `{"data":""}`.length) });

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== authorization) {
    response.writeHead(401, { "content-length": "0" }).end();
    return;
  }
  const url = new URL(request.url ?? "/", "http://origin.invalid");
  if (url.pathname === "/api/upload") {
    const hash = createHash("sha256");
    await pipeline(request, hash);
    response.end(hash.digest("hex"));
  } else if (url.pathname === "/api/download") {
    const bytes = Number(url.searchParams.get("bytes"));
    response.writeHead(200, { "content-length": String(bytes), "x-sha256": patternSha256(bytes) });
    await pipeline(pattern(bytes), response);
  } else {
    response
      .writeHead(200, { "content-type": "application/json", "content-length": String(json.length) })
      .end(json);
  }
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  answer(request, response).catch(() => response.destroy());
}

const tls = values.cert !== undefined && values.key !== undefined;
const origin: Server = tls
  ? createTlsServer({ cert: readFileSync(values.cert ?? ""), key: readFileSync(values.key ?? "") }, serve)
  : createServer(serve);
origin.keepAliveTimeout = 60_000;
const tokenEndpoint = createServer((request, response) => {
  request.resume();
  const body = JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: 3600 });
  response.writeHead(200, { "content-type": "application/json" }).end(body);
});

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

process.on("SIGTERM", () => process.exit(0));
console.log(JSON.stringify({ port: await listen(origin), tokenPort: await listen(tokenEndpoint) }));
