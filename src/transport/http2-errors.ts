import { constants } from "node:http2";

/** A peer's answer broke the protocol, in its eyes or in Node's (RFC 9113 §7). */
const MALFORMED_CODES: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_FRAME_SIZE_ERROR,
  constants.NGHTTP2_COMPRESSION_ERROR,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** Whether a stream that ended with this code and error ended for what its peer sent. */
export function isMalformed(rstCode: number, error: Error): boolean {
  return MALFORMED_CODES.has(rstCode) || isOfParser(error);
}

/** What Node's HTTP/2 parser says of a whole connection: what came are no frames, or not those that may come. */
export function isOfParser(error: Error): boolean {
  return "code" in error && error.code === "ERR_HTTP2_ERROR";
}
