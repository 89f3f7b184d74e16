/** The proxy one would write by hand: `http.request` with a keep-alive agent, hop-by-hop fields dropped, streams piped. */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { peerArguments } from "./arguments.ts";
import { keepAliveAgent } from "./http-proxy-server.ts";

const { upstream, ca, authorization, port } = peerArguments();
const agent = keepAliveAgent(ca);
const request = ca === undefined ? httpRequest : httpsRequest;

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = { ...headers };
  for (const name of HOP_BY_HOP) delete kept[name];
  return kept;
}

const server = createServer((downstream, response) => {
  const headers = { ...endToEnd(downstream.headers), host: upstream.host, authorization };
  const { method = "GET", url = "/" } = downstream;
  const outbound = request({
    agent,
    host: upstream.hostname,
    port: upstream.port,
    method,
    path: url,
    headers,
  });
  outbound.once("response", (incoming) => {
    response.writeHead(incoming.statusCode ?? 502, endToEnd(incoming.headers));
    pipeline(incoming, response, () => undefined);
  });
  outbound.once("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.once("close", () => {
    if (!response.writableFinished) outbound.destroy();
  });
  pipeline(downstream, outbound, () => undefined);
});
server.listen(port, "127.0.0.1");
await once(server, "listening");
process.on("SIGTERM", () => process.exit(0));
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
