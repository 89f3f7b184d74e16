import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

export interface PeerArguments {
  readonly upstream: URL;
  /** PEM of the upstream's certificate authority; undefined for a plain upstream. */
  readonly ca: Buffer | undefined;
  readonly keepAlive: boolean;
  /** Where to listen on 127.0.0.1. Default 0: a free one, which is printed. */
  readonly port: number;
  /** The value of the `Authorization` field that the peer injects. */
  readonly authorization: string;
}

/** `--upstream URL [--ca FILE] [--port N] [--keep-alive]`, and the token in `BENCH_TOKEN`. */
export function peerArguments(): PeerArguments {
  const { values } = parseArgs({
    options: {
      upstream: { type: "string" },
      ca: { type: "string" },
      port: { type: "string", default: "0" },
      "keep-alive": { type: "boolean", default: false },
    },
  });
  return {
    upstream: new URL(values.upstream ?? ""),
    ca: values.ca === undefined ? undefined : readFileSync(values.ca),
    keepAlive: values["keep-alive"],
    port: Number(values.port),
    authorization: `Bearer ${process.env["BENCH_TOKEN"] ?? ""}`,
  };
}
