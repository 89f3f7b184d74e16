/**
 * What requests the frames of one connection hold: RFC 9113 to the letter, with no leniency at all and no code in common
 * with the client that is judged by it.
 */
import { createHpackDecoder } from "./hpack.ts";
import { FLAG, FRAME, type Frame } from "./http2-frames.ts";
import type { StrictRequest } from "./strict-http.ts";

/** A request as far as it has come; `:authority` stands as `host` in front of its fields. */
export interface StrictStream extends StrictRequest {
  readonly streamId: number;
}

export interface Http2Reader {
  /**
   * The request that this frame began, went on with or gave up; undefined: it belongs to none.
   *
   * @throws of what the connection must not carry
   */
  read(frame: Frame): StrictStream | undefined;
}

const MAX_FRAME_BYTES = 16_384;
const PSEUDO = [":method", ":scheme", ":authority", ":path"];
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** §8.2.1. */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** §8.2.2, and Host, which `:authority` stands for. */
const OF_ONE_HOP =
  /^(?:connection|proxy-connection|keep-alive|transfer-encoding|upgrade|http2-settings|host|trailer)$/;

type State = { request: StrictStream; isOver: boolean };

export function createHttp2Reader(): Http2Reader {
  const hpack = createHpackDecoder();
  const streams = new Map<number, State>();
  let lastStreamId = 0;
  /** A field block that goes on in CONTINUATION frames, which nothing may come between (§6.10). */
  let block: { readonly streamId: number; readonly endsStream: boolean; bytes: Buffer } | undefined;

  function onFields(streamId: number, bytes: Buffer, endsStream: boolean): StrictStream {
    // First of all, since later blocks depend on it.
    const fields = hpack.decode(bytes);
    const known = streams.get(streamId);
    if (known !== undefined) {
      if (known.isOver) throw new Error(`fields on stream ${streamId}, which has ended`);
      if (!endsStream) throw new Error("trailers that do not end their stream");
      if (fields.some((name, at) => at % 2 === 0 && name.startsWith(":")))
        throw new Error("a pseudo-header in trailers");
      return end(known, { ...known.request, trailers: checked(fields) });
    }
    if (streamId % 2 === 0 || streamId <= lastStreamId) throw new Error(`stream ${streamId} is no new one`);
    lastStreamId = streamId;
    const request = readHead(streamId, fields, endsStream);
    const state: State = { request, isOver: false };
    streams.set(streamId, state);
    return endsStream ? end(state, request) : request;
  }

  function onData(frame: Frame): StrictStream {
    const state = streams.get(frame.streamId);
    if (state === undefined || state.isOver)
      throw new Error(`data on stream ${frame.streamId}, which is not open`);
    const request = { ...state.request, body: state.request.body + unpadded(frame).toString("latin1") };
    state.request = request;
    return (frame.flags & FLAG.endStream) === 0 ? request : end(state, request);
  }

  function end(state: State, request: StrictStream): StrictStream {
    const at = request.headers.indexOf("content-length");
    if (at !== -1 && Number(request.headers[at + 1]) !== request.body.length)
      throw new Error(`a body of ${request.body.length} bytes for a length of ${request.headers[at + 1]}`);
    state.isOver = true;
    state.request = { ...request, complete: true };
    return state.request;
  }

  return {
    read(frame) {
      const { type, flags, streamId, payload } = frame;
      if (payload.length > MAX_FRAME_BYTES) throw new Error("a frame larger than allowed");
      if (block !== undefined) {
        if (type !== FRAME.continuation || streamId !== block.streamId)
          throw new Error("a frame in the midst of a field block");
        block.bytes = Buffer.concat([block.bytes, payload]);
        if ((flags & FLAG.endHeaders) === 0) return undefined;
        const { bytes, endsStream } = block;
        block = undefined;
        return onFields(streamId, bytes, endsStream);
      }
      switch (type) {
        case FRAME.data:
          return onData(frame);
        case FRAME.headers: {
          const bytes = unpadded(frame);
          const endsStream = (flags & FLAG.endStream) !== 0;
          if ((flags & FLAG.endHeaders) !== 0) return onFields(streamId, bytes, endsStream);
          block = { streamId, endsStream, bytes };
          return undefined;
        }
        case FRAME.reset: {
          const state = streams.get(streamId);
          if (state === undefined) throw new Error(`a reset of stream ${streamId}, which never began`);
          state.isOver = true;
          return state.request;
        }
        case FRAME.windowUpdate:
          if (streamId !== 0 && !streams.has(streamId))
            throw new Error("a window of a stream that never began");
          return undefined;
        case FRAME.settings:
        case FRAME.ping:
        case FRAME.goaway:
          if (streamId !== 0) throw new Error(`a frame of type ${type} on a stream`);
          return undefined;
        default:
          throw new Error(`a frame of type ${type}`);
      }
    },
  };
}

function unpadded({ type, flags, payload }: Frame): Buffer {
  const isPadded = (flags & FLAG.padded) !== 0;
  const pad = isPadded ? (payload[0] ?? 0) : 0;
  const start = (isPadded ? 1 : 0) + (type === FRAME.headers && (flags & FLAG.priority) !== 0 ? 5 : 0);
  if (start + pad > payload.length) throw new Error("more padding than frame");
  return payload.subarray(start, payload.length - pad);
}

/** §8.3.1. */
function readHead(streamId: number, fields: readonly string[], endsStream: boolean): StrictStream {
  const pseudo = new Map<string, string>();
  let at = 0;
  for (; fields[at]?.startsWith(":") === true; at += 2) {
    const name = fields[at] as string;
    if (!PSEUDO.includes(name) || pseudo.has(name)) throw new Error(`a pseudo-header ${name} too many`);
    pseudo.set(name, fields[at + 1] as string);
  }
  const [method = "", scheme, authority = "", target = ""] = PSEUDO.map((name) => pseudo.get(name));
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) throw new Error(`:method ${JSON.stringify(method)}`);
  if (scheme !== "https") throw new Error(`:scheme ${JSON.stringify(scheme)}`);
  if (!/^[\w.:[\]-]+$/.test(authority)) throw new Error(`:authority ${JSON.stringify(authority)}`);
  if (!/^\/[\x21-\x7e]*$/.test(target)) throw new Error(`:path ${JSON.stringify(target)}`);
  const headers = checked(fields.slice(at));
  const lengths = headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === "content-length");
  if (lengths.length > 1) throw new Error("more than one length");
  if (lengths[0] !== undefined && !/^\d{1,15}$/.test(lengths[0])) throw new Error(`length ${lengths[0]}`);
  return {
    streamId,
    method,
    target,
    headers: ["host", authority, ...headers],
    // DATA frames without a length are what HTTP/1.1 has chunks for.
    framing: lengths.length === 1 ? "length" : endsStream ? "none" : "chunked",
    body: "",
    trailers: [],
    complete: false,
  };
}

function checked(fields: readonly string[]): readonly string[] {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    if (!NAME.test(name)) throw new Error(`a field named ${JSON.stringify(name)}`);
    if (!VALUE.test(value)) throw new Error(`a field ${name} of ${JSON.stringify(value.slice(0, 200))}`);
    if (OF_ONE_HOP.test(name)) throw new Error(`a field ${name}`);
    if (name === "te" && value !== "trailers") throw new Error(`te ${JSON.stringify(value)}`);
  }
  return fields;
}
