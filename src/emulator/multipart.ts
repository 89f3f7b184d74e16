/** One part of a multipart body; of its content only the size and the beginning are kept. */
export interface Part {
  readonly name: string;
  readonly filename: string | undefined;
  bytes: number;
  /** The first 256 bytes as text. */
  text: string;
}

const MAX_PART_HEADER_BYTES = 16 * 1_024;
const MAX_TEXT_BYTES = 256;
const MAX_PARTS = 100;

/** The boundary of a `multipart/form-data` content type (RFC 2046 §5.1.1). */
export function multipartBoundary(contentType: string): string | undefined {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

/**
 * Reads a multipart/form-data stream (RFC 7578) without keeping it, so that an attachment of 100 MB costs no memory.
 * Returns the parts, or undefined where the body is malformed or ends before its last boundary.
 */
export async function readMultipart(
  chunks: AsyncIterable<Buffer>,
  boundary: string,
): Promise<readonly Part[] | undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const parts: Part[] = [];
  let part: Part | undefined;
  let state = "content" as "content" | "headers" | "done" | "broken";
  // The first delimiter stands at the start of the body, where no line end comes before it.
  let pending: Buffer = Buffer.from("\r\n");

  function keep(content: Buffer): void {
    if (part === undefined) return; // the preamble
    if (part.bytes < MAX_TEXT_BYTES) part.text += content.toString("utf8", 0, MAX_TEXT_BYTES - part.bytes);
    part.bytes += content.length;
  }

  /** Takes what can be told from `pending`; false when more has to come, undefined when the body is malformed. */
  function step(): boolean | undefined {
    if (state === "headers") {
      const end = pending.indexOf("\r\n\r\n");
      if (end < 0) return pending.length > MAX_PART_HEADER_BYTES ? undefined : false;
      part = parsePartHeader(pending.toString("utf8", 0, end));
      if (part === undefined || parts.length >= MAX_PARTS) return undefined;
      parts.push(part);
      pending = pending.subarray(end + 4);
      state = "content";
      return true;
    }
    const at = pending.indexOf(delimiter);
    if (at < 0) {
      const safe = Math.max(0, pending.length - delimiter.length);
      keep(pending.subarray(0, safe));
      pending = pending.subarray(safe);
      return false;
    }
    const after = at + delimiter.length;
    if (pending.length < after + 2) return false;
    keep(pending.subarray(0, at));
    const closing = pending.toString("latin1", after, after + 2);
    pending = pending.subarray(after);
    if (closing === "--") state = "done";
    else if (closing === "\r\n") state = "headers";
    else return undefined;
    return state !== "done";
  }

  for await (const chunk of chunks) {
    // The epilogue, or what follows a mistake: read, so that the caller gets to see the answer.
    if (state === "done" || state === "broken") continue;
    pending = Buffer.concat([pending, chunk]);
    let more: boolean | undefined = true;
    while (more === true) more = step();
    if (more === undefined) state = "broken";
  }
  return state === "done" ? parts : undefined;
}

function parsePartHeader(header: string): Part | undefined {
  const disposition = /^content-disposition: *form-data *;(.*)$/im.exec(header)?.[1];
  const name = disposition === undefined ? undefined : /(?:^|[;\s])name="([^"]*)"/i.exec(disposition)?.[1];
  if (name === undefined) return undefined;
  const filename = /(?:^|[;\s])filename="([^"]*)"/i.exec(disposition ?? "")?.[1];
  return { name, filename, bytes: 0, text: "" };
}
