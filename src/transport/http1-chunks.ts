import { malformedAnswer } from "./answer-errors.ts";
import { FieldReader } from "./http1-answer-head.ts";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SEMICOLON = 0x3b;

/** Twelve digits are 256 TiB; more would not be an exact number some time. */
const MAX_SIZE_DIGITS = 12;

/** Of one chunk's line. Nobody has a use for extensions, and they are not passed on (RFC 9112 §7.1.1). */
const MAX_EXTENSION_BYTES = 1_024;

/** Names, perhaps with a token or a quoted string (RFC 9112 §7.1.1), without the blanks that a reader had to bear. */
const EXTENSIONS =
  /^(?:;[\w!#$%&'*+\-.^`|~]+(?:=(?:[\w!#$%&'*+\-.^`|~]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)+$/;

type State = "size" | "extension" | "size-end" | "data" | "data-return" | "data-end" | "trailers" | "done";

/** Takes a body out of its chunks (RFC 9112 §7.1), to the letter: no blanks, no bare line breaks. Throws as `FieldReader`. */
export class ChunkReader {
  /** What `next` found of the body; undefined: nothing this time. */
  piece: Buffer | undefined;
  readonly #trailers: FieldReader;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extension = "";

  constructor(maxTrailerBytes: number) {
    this.#trailers = new FieldReader(maxTrailerBytes, false);
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Flat name, value, … once it is done. */
  get trailers(): string[] {
    return this.#trailers.fields;
  }

  /** Reads from `from` to the end of the next piece, of the body, or of the bytes; returns how far it came. */
  next(bytes: Buffer, from: number): number {
    this.piece = undefined;
    let at = from;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(bytes.length, at + this.#size);
        this.piece = bytes.subarray(at, end);
        this.#size -= end - at;
        if (this.#size === 0) this.#state = "data-return";
        return end;
      }
      if (this.#state === "trailers") {
        const end = this.#trailers.read(bytes, at);
        if (end === -1) return bytes.length;
        this.#state = "done";
        return end;
      }
      this.#step(bytes[at] as number);
      at += 1;
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#takeSize(byte);
        break;
      case "extension":
        this.#takeExtension(byte);
        break;
      case "size-end":
        expect(byte, LINE_FEED);
        this.#state = this.#size === 0 ? "trailers" : "data";
        this.#digits = 0;
        this.#extension = "";
        break;
      case "data-return":
        expect(byte, CARRIAGE_RETURN);
        this.#state = "data-end";
        break;
      case "data-end":
        expect(byte, LINE_FEED);
        this.#state = "size";
        break;
      default:
        // The others are read in pieces.
        break;
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#digits += 1;
      if (this.#digits > MAX_SIZE_DIGITS) throw malformedAnswer("a chunk size without end");
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits > 0 && byte === CARRIAGE_RETURN) this.#state = "size-end";
    else if (this.#digits > 0 && byte === SEMICOLON) {
      this.#extension = ";";
      this.#state = "extension";
    } else throw malformedAnswer("a chunk size that is none");
  }

  #takeExtension(byte: number): void {
    if (byte !== CARRIAGE_RETURN) {
      this.#extension += String.fromCharCode(byte);
      if (this.#extension.length > MAX_EXTENSION_BYTES)
        throw malformedAnswer("a chunk extension without end");
      return;
    }
    if (!EXTENSIONS.test(this.#extension)) throw malformedAnswer("a chunk extension that is none");
    this.#state = "size-end";
  }
}

function expect(byte: number, wanted: number): void {
  if (byte !== wanted) throw malformedAnswer("a chunk that does not end where it says");
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
