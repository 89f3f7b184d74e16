/** HPACK (RFC 7541) as a second opinion: a decoder to the letter, and an encoder that compresses nothing. */

/** Appendix A, from index 1. */
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
  .trim()
  .split("\n")
  .map((line) => {
    const blank = line.indexOf(" ");
    return blank === -1 ? [line, ""] : [line.slice(0, blank), line.slice(blank + 1)];
  });

/** Appendix B: how many bits each byte has, and at last EOS. The codes themselves follow, since they are in order. */
const HUFFMAN_LENGTHS: readonly number[] = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30`
  .trim()
  .split(/\s+/)
  .map(Number);

const EOS = 256;
/** What is indexed costs this beside its bytes (§4.1). */
const ENTRY_OVERHEAD_BYTES = 32;

/** `length:code` → byte. Codes of one length ascend with their bytes, and each length goes on where the last ended. */
const HUFFMAN: ReadonlyMap<string, number> = (() => {
  const codes = new Map<string, number>();
  let code = 0;
  for (let length = 5; length <= 30; length++, code *= 2)
    for (const [byte, own] of HUFFMAN_LENGTHS.entries())
      if (own === length) {
        codes.set(`${length}:${code}`, byte);
        code += 1;
      }
  return codes;
})();

export interface HpackDecoder {
  /**
   * Flat name, value, … of one field block, as latin1.
   *
   * @throws of what is none
   */
  decode(block: Buffer): string[];
}

/** @param limitBytes SETTINGS_HEADER_TABLE_SIZE as it was told to the peer */
export function createHpackDecoder(limitBytes = 4_096): HpackDecoder {
  const dynamic: (readonly [name: string, value: string])[] = [];
  let maxBytes = limitBytes;

  const evict = (): void => {
    let bytes = 0;
    const beyond = dynamic.findIndex(([name, value]) => {
      bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      return bytes > maxBytes;
    });
    if (beyond !== -1) dynamic.length = beyond;
  };
  const entry = (index: number): readonly [name: string, value: string] => {
    const found = STATIC_TABLE[index - 1] ?? dynamic[index - 1 - STATIC_TABLE.length];
    if (found === undefined) throw new Error(`HPACK: no entry ${index}`);
    return found;
  };

  return {
    decode(block) {
      const fields: string[] = [];
      let at = 0;
      const byte = (): number => {
        const value = block[at];
        if (value === undefined) throw new Error("HPACK: the block ends in the middle of a field");
        at += 1;
        return value;
      };
      /** §5.1: the lowest bits of the byte that was just read, and perhaps further bytes. */
      const integer = (first: number, bits: number): number => {
        const most = 2 ** bits - 1;
        let value = first & most;
        if (value < most) return value;
        for (let factor = 1; ; factor *= 128) {
          if (factor > 2 ** 28) throw new Error("HPACK: a number beyond all bounds");
          const next = byte();
          value += (next & 127) * factor;
          if (next < 128) return value;
        }
      };
      const text = (): string => {
        const first = byte();
        const length = integer(first, 7);
        if (at + length > block.length) throw new Error("HPACK: a text longer than its block");
        const bytes = block.subarray(at, at + length);
        at += length;
        return first < 128 ? bytes.toString("latin1") : huffman(bytes);
      };
      while (at < block.length) {
        const first = byte();
        if (first >= 0x80) {
          fields.push(...entry(integer(first, 7)));
        } else if (first >= 0x20 && first < 0x40) {
          if (fields.length > 0) throw new Error("HPACK: the table's size changes behind a field");
          maxBytes = integer(first, 5);
          if (maxBytes > limitBytes) throw new Error("HPACK: a table larger than allowed");
          evict();
        } else {
          const isIndexed = first >= 0x40;
          const index = integer(first, isIndexed ? 6 : 4);
          const field = [index === 0 ? text() : entry(index)[0], text()] as const;
          fields.push(...field);
          if (!isIndexed) continue;
          dynamic.unshift(field);
          evict();
        }
      }
      return fields;
    },
  };
}

/** §5.2. */
function huffman(bytes: Buffer): string {
  let text = "";
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      const symbol = HUFFMAN.get(`${length}:${code}`);
      if (symbol === undefined) continue;
      if (symbol === EOS) throw new Error("HPACK: the end of a text in its midst");
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  if (length > 7 || code !== 2 ** length - 1)
    throw new Error("HPACK: a text that is padded with other than ones");
  return text;
}

/** Literal fields that are not indexed (§6.2.2). */
export function encodeFields(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const bytes: number[] = [];
  const text = (value: string): void => {
    if (value.length < 127) bytes.push(value.length);
    else {
      let rest = value.length - 127;
      bytes.push(127);
      for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
      bytes.push(rest);
    }
    bytes.push(...Buffer.from(value, "latin1"));
  };
  for (const [name, value] of fields) {
    bytes.push(0);
    text(name);
    text(value);
  }
  return Buffer.from(bytes);
}
