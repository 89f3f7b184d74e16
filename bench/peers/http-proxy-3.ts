/** http-proxy-3, the maintained successor, as its readme shows it, with an agent that keeps connections. */
import { createRequire } from "node:module";
import { peerArguments } from "./arguments.ts";
import { type HttpProxyModule, keepAliveAgent, serveProxy } from "./http-proxy-server.ts";

const { upstream, ca, authorization, port } = peerArguments();
const { createProxyServer } = createRequire(import.meta.url)("http-proxy-3") as HttpProxyModule;

const proxy = createProxyServer({
  target: upstream.origin,
  changeOrigin: true,
  headers: { authorization },
  agent: keepAliveAgent(ca),
});
await serveProxy(proxy, port);
