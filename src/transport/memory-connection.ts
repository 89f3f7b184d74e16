import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Locality } from "./http-listener.ts";

/**
 * A connection without a network: a caller that has sent these bytes and ended. What it is answered goes nowhere. For
 * `HttpListener.accept()`, so that bytes can be read by the very parser and limits that serve.
 */
export function createMemoryConnection(bytes: Buffer, { port, address }: Locality): Socket {
  const stream = new Duplex({
    read() {
      this.push(bytes);
      this.push(null);
    },
    write: (_chunk, _encoding, done) => done(),
  });
  const chained = (): Duplex => stream;
  return Object.assign(stream, {
    localPort: port,
    localAddress: address,
    setTimeout: chained,
    setKeepAlive: chained,
    setNoDelay: chained,
  }) as unknown as Socket;
}
