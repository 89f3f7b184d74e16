/** @fastify/reply-from on Fastify, as its readme shows it: undici underneath, 64 connections. */
import { createRequire } from "node:module";
import { peerArguments } from "./arguments.ts";

/** Installed beside the benchmark, not with the product; this is what is used here. */
interface Reply {
  from(source: string, options: object): void;
}
interface Fastify {
  register(plugin: unknown, options: object): void;
  get(path: string, handler: (request: { url: string }, reply: Reply) => void): void;
  listen(options: { host: string; port: number }): Promise<string>;
}

const { upstream, ca, authorization, port } = peerArguments();
const require = createRequire(import.meta.url);
const createFastify = require("fastify") as () => Fastify;

const app = createFastify();
app.register(require("@fastify/reply-from"), {
  base: upstream.origin,
  undici: { connections: 64, ...(ca === undefined ? {} : { connect: { ca } }) },
});
const options = {
  rewriteRequestHeaders: (_request: unknown, headers: object) => ({ ...headers, authorization }),
};
app.get("/*", (request, reply) => reply.from(request.url, options));
await app.listen({ host: "127.0.0.1", port });
process.on("SIGTERM", () => process.exit(0));
