/** What http-proxy and its successor have in common: how they are used, and how they listen. */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Agent as TlsAgent } from "node:https";
import type { AddressInfo } from "node:net";

/** What is used here of packages that bring no types, or are installed beside the benchmark only. */
export interface HttpProxyModule {
  createProxyServer(options: object): HttpProxy;
}
interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(
    event: "error",
    listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void,
  ): void;
}

/** One that keeps its connections. */
export function keepAliveAgent(ca: Buffer | undefined): Agent {
  const options = { keepAlive: true, maxSockets: 64 };
  return ca === undefined ? new Agent(options) : new TlsAgent({ ...options, ca });
}

/** Serves until SIGTERM, and prints its port. */
export async function serveProxy(proxy: HttpProxy, port: number): Promise<void> {
  proxy.on("error", (_error, _request, response) => {
    response.writeHead(502).end();
  });
  const server = createServer((request, response) => proxy.web(request, response));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  process.on("SIGTERM", () => process.exit(0));
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
}
