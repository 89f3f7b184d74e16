/** http-proxy 1.18.1 as its readme shows it; `--keep-alive` gives it an agent that keeps connections. */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { peerArguments } from "./arguments.ts";

/** The package brings no types; this is what is used here. */
interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(
    event: "error",
    listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void,
  ): void;
}
interface HttpProxyModule {
  createProxyServer(options: object): HttpProxy;
}

const { upstream, ca, keepAlive, authorization, port } = peerArguments();
const { createProxyServer } = createRequire(import.meta.url)("http-proxy") as HttpProxyModule;

const agentOptions = { keepAlive: true, maxSockets: 64, ...(ca === undefined ? {} : { ca }) };
const keepAliveAgent = ca === undefined ? new Agent(agentOptions) : new TlsAgent(agentOptions);
const proxy = createProxyServer({
  target: {
    protocol: upstream.protocol,
    host: upstream.hostname,
    port: upstream.port,
    ...(ca === undefined ? {} : { ca }),
  },
  changeOrigin: true,
  headers: { authorization },
  ...(keepAlive ? { agent: keepAliveAgent } : {}),
});
proxy.on("error", (_error, _request, response) => {
  response.writeHead(502).end();
});

const server = createServer((request, response) => proxy.web(request, response));
server.listen(port, "127.0.0.1");
await once(server, "listening");
process.on("SIGTERM", () => process.exit(0));
console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
