import type { IncomingMessage, ServerResponse } from "node:http";
import type { Limits } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { RouteTable } from "../proxy/route-table.ts";
import { parseTarget } from "../proxy/target.ts";
import { takesUpgrade } from "../proxy/upgrade.ts";
import { createHttpListener, type Locality } from "../transport/http-listener.ts";
import { createMemoryConnection } from "../transport/memory-connection.ts";
import type { AskedRequest } from "./explanation.ts";

/** A request as the data plane gets it. */
export interface Arrived {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isHandshake: boolean;
  readonly locality: Locality;
}

/** Where it would arrive. */
interface ArrivalPlace {
  readonly limits: Limits;
  readonly clock: Clock;
  readonly table: RouteTable;
}

/**
 * Sends the head through the data plane's own listener, without a network: parser and limits are those that serve.
 * Rejects with what the listener refuses by itself. Fields and method must not hold line breaks.
 */
export async function arrive(asked: AskedRequest, { limits, clock, table }: ArrivalPlace): Promise<Arrived> {
  // No request line can hold one; whatever stands behind it would be read as something else.
  if (/[\r\n]/.test(asked.target)) parseTarget(asked.target);
  const arrival = Promise.withResolvers<Arrived>();
  const listener = createHttpListener({
    limits,
    clock,
    handle(request, response, isHandshake) {
      arrival.resolve({ request, response, isHandshake, locality: listener.locate(request) });
    },
    takesUpgrade: (request) => takesUpgrade(request, table),
    refuse(error: ProxyError) {
      arrival.reject(error);
      return "";
    },
  });
  listener.accept(createMemoryConnection(headBytes(asked), asked.locality));
  try {
    return await arrival.promise;
  } finally {
    listener.destroy();
  }
}

function headBytes({ method, target, fields }: AskedRequest): Buffer {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`);
}
