/** http-proxy 1.18.1 as its readme shows it; `--keep-alive` gives it an agent that keeps connections. */
import { createRequire } from "node:module";
import { peerArguments } from "./arguments.ts";
import { type HttpProxyModule, keepAliveAgent, serveProxy } from "./http-proxy-server.ts";

const { upstream, ca, keepAlive, authorization, port } = peerArguments();
const { createProxyServer } = createRequire(import.meta.url)("http-proxy") as HttpProxyModule;

const proxy = createProxyServer({
  target: {
    protocol: upstream.protocol,
    host: upstream.hostname,
    port: upstream.port,
    ...(ca === undefined ? {} : { ca }),
  },
  changeOrigin: true,
  headers: { authorization },
  ...(keepAlive ? { agent: keepAliveAgent(ca) } : {}),
});
await serveProxy(proxy, port);
