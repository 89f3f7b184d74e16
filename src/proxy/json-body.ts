import { ProxyError } from "../core/errors.ts";
import type { EndpointCall } from "./endpoint.ts";
import { RequestBody } from "./request-body.ts";

const MAX_BYTES = 16_384;

const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;

/** Members of a JSON object that are all text; those that were not sent are undefined. */
export type Members<Name extends string> = Readonly<Partial<Record<Name, string>>>;

/**
 * Reads a body that is one small JSON object, with no other members than these and all of them text. Only
 * `application/json`: a form of a foreign page cannot send that without being asked first. Rejects with REQUEST_INVALID.
 */
export async function readMembers<Name extends string>(
  call: EndpointCall,
  names: readonly Name[],
): Promise<Members<Name>> {
  const { headers } = call.request;
  if (!JSON_TYPE.test(headers["content-type"] ?? "") || headers["content-encoding"] !== undefined)
    throw invalid("Send the body as `Content-Type: application/json`, without an encoding.");
  const text = decode(await readBytes(call));
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("The body must be a JSON object.");
  for (const [name, member] of Object.entries(value)) {
    if (!names.some((known) => known === name))
      throw invalid(`The body has a member that is not known here; known are ${names.join(", ")}.`);
    if (typeof member !== "string") throw invalid(`The member ${name} must be text.`);
  }
  if (countNames(text) > Object.keys(value).length) throw invalid("The body has a member twice.");
  return value as Members<Name>;
}

/** In an object all of whose members are text. Of two with one name, whoever reads it may take either (RFC 8259 §4). */
function countNames(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"[ \t\r\n]*(:?)/g)].filter(([, colon]) => colon === ":").length;
}

/** "": it is no UTF-8. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "";
  }
}

/** undefined: it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readBytes({ request, response, head, deps, state }: EndpointCall): Promise<Buffer> {
  if (!head.hasBody) throw invalid("The request has no body; send a JSON object.");
  if ((head.contentLength ?? 0) > MAX_BYTES) throw tooLarge();
  const { bodyIdleMs } = state.limits;
  const body = new RequestBody(request, {
    clock: deps.clock,
    memory: deps.memory,
    idleMs: bodyIdleMs,
    keepBytes: 0,
    continueOn: head.expectsContinue ? response : undefined,
  });
  // So small a body has no reason to trickle in.
  const deadline = deps.clock.schedule(bodyIdleMs, () => body.destroy(invalid("The body took too long.")));
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    // Whoever leaves in the middle of a body is nobody's fault here, and reads no answer.
    throw error instanceof ProxyError ? error : invalid("The body did not arrive whole.");
  } finally {
    deadline.cancel();
  }
}

function tooLarge(): ProxyError {
  return invalid(`The body is larger than ${MAX_BYTES / 1_024} KiB.`);
}

export function invalid(detail: string): ProxyError {
  return new ProxyError("REQUEST_INVALID", detail);
}
