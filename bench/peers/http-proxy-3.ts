/** http-proxy-3, the maintained successor, as its readme shows it, with an agent that keeps connections. */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { createRequire } from "node:module";
import { peerArguments } from "./arguments.ts";

/** Installed beside the benchmark, not with the product; this is what is used here. */
interface ProxyServer {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(
    event: "error",
    listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void,
  ): void;
}
interface HttpProxy3 {
  createProxyServer(options: object): ProxyServer;
}

const { upstream, ca, authorization, port } = peerArguments();
const { createProxyServer } = createRequire(import.meta.url)("http-proxy-3") as HttpProxy3;

const agentOptions = { keepAlive: true, maxSockets: 64, ...(ca === undefined ? {} : { ca }) };
const proxy = createProxyServer({
  target: upstream.origin,
  changeOrigin: true,
  headers: { authorization },
  agent: ca === undefined ? new Agent(agentOptions) : new TlsAgent(agentOptions),
});
proxy.on("error", (_error, _request, response) => {
  response.writeHead(502).end();
});

const server = createServer((request, response) => proxy.web(request, response));
server.listen(port, "127.0.0.1");
await once(server, "listening");
process.on("SIGTERM", () => process.exit(0));
