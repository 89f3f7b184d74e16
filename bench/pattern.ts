import { createHash, randomBytes } from "node:crypto";

/** Random, so that nothing on the way can compress it; one block, so that making it costs nothing. */
const block = randomBytes(64 * 1024);

/** `bytes` bytes, block by block; a consumer that is slow is waited for. */
export function* pattern(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= block.length) {
    yield left >= block.length ? block : block.subarray(0, left);
  }
}

/** Hexadecimal SHA-256 of what `pattern(bytes)` gives in this process. */
export function patternSha256(bytes: number): string {
  const hash = createHash("sha256");
  for (const chunk of pattern(bytes)) hash.update(chunk);
  return hash.digest("hex");
}
