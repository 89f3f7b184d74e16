/** What went wrong with an upstream's connection, by the codes that undici gave the same faults. */

/** What came is not an answer in the HTTP that is spoken. */
export function malformedAnswer(message: string, options?: ErrorOptions): Error {
  return Object.assign(new Error(message, options), { code: "UND_ERR_HTTP_PARSER" });
}

/** An answer's head or trailers are longer than is read. */
export function headTooLarge(maxBytes: number): Error {
  return Object.assign(new Error(`the answer's fields exceed ${maxBytes} bytes`), {
    code: "UND_ERR_HEADERS_OVERFLOW",
  });
}

export function noAnswerInTime(): Error {
  return Object.assign(new Error("no answer in time"), { code: "UND_ERR_HEADERS_TIMEOUT" });
}

export function answerStalled(): Error {
  return Object.assign(new Error("the answer stalled"), { code: "UND_ERR_BODY_TIMEOUT" });
}

/** `isKept`: the connection has carried requests before, and may have been closed for being idle. */
export function closedByUpstream(isKept: boolean, message = "the upstream closed the connection"): Error {
  return Object.assign(new Error(message), { code: "UND_ERR_SOCKET", socket: { bytesRead: isKept ? 1 : 0 } });
}
