import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { multipartBoundary, readMultipart } from "../../src/emulator/multipart.ts";

async function* inPieces(body: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    if (at >= body.length) return;
    yield body.subarray(at, at + size);
    at += size;
  }
  if (at < body.length) yield body.subarray(at);
}

describe("a multipart body", () => {
  it("is read the same, however it is cut into chunks", async () => {
    const content = fc.uint8Array({ maxLength: 400 });
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 1, maxLength: 4 }), sizes, async (contents, cuts) => {
        const body = Buffer.concat([
          Buffer.from("preamble"),
          ...contents.flatMap((bytes, index) => [
            Buffer.from(`\r\n--b0undary\r\nContent-Disposition: form-data; name="n${index}"\r\n\r\n`),
            bytes,
          ]),
          Buffer.from("\r\n--b0undary--\r\nepilogue"),
        ]);
        const parts = await readMultipart(inPieces(body, cuts), "b0undary");
        expect(parts?.map(({ name, bytes }) => [name, bytes])).toEqual(
          contents.map((bytes, index) => [`n${index}`, bytes.length]),
        );
      }),
    );
  });

  it("is never read into an error, whatever it holds", async () => {
    const scraps = fc.constantFrom(
      "--b",
      "\r\n",
      "--",
      "\r\n\r\n",
      "content-disposition: form-data; name=x",
      "x",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(scraps), async (pieces) => {
        const parts = await readMultipart(inPieces(Buffer.from(pieces.join("")), [3, 5]), "b");
        expect(parts === undefined || Array.isArray(parts)).toBe(true);
      }),
    );
  });

  it.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['multipart/form-data; charset=utf-8; boundary="a b"', "a b"],
    ["Multipart/Form-Data;boundary=abc;x=y", "abc"],
    ["multipart/form-data", undefined],
    ["multipart/mixed; boundary=abc", undefined],
    ["", undefined],
  ])("of type %j has the boundary %j", (contentType, boundary) => {
    expect(multipartBoundary(contentType)).toBe(boundary);
  });
});
