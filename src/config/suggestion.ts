import { printable } from "./printable.ts";

/** A name longer than this is no misspelling of ours, and would make the distance dear to compute. */
const MAX_LENGTH = 64;

/** ` (did you mean "client_secret"?)`, or "" where no candidate is close. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const closest = closestOf(word, candidates);
  return closest === undefined ? "" : ` (did you mean "${printable(closest)}"?)`;
}

/** The candidate that `word` most likely stands for; undefined where none is close. */
export function closestOf(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) return undefined;
  const folded = fold(word);
  let closest: string | undefined;
  let closestDistance = Math.floor(folded.length / 3) + 1;
  for (const candidate of candidates) {
    const other = fold(candidate);
    if (Math.abs(other.length - folded.length) >= closestDistance && !startsAlike(folded, other)) continue;
    const distance = startsAlike(folded, other)
      ? Math.min(1, editDistance(folded, other))
      : editDistance(folded, other);
    if (distance < closestDistance) {
      closest = candidate;
      closestDistance = distance;
    }
  }
  return closest;
}

/** `clientSecret`, `client-secret` and `CLIENT_SECRET` are all `client_secret` to the person who wrote them. */
function fold(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, "");
}

/** `prod` for `production`, `warning` for `warn`: far off by letters, yet plain. */
function startsAlike(word: string, candidate: string): boolean {
  const [shorter, longer] = word.length < candidate.length ? [word, candidate] : [candidate, word];
  return shorter.length >= 3 && longer.length <= MAX_LENGTH && longer.startsWith(shorter);
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, substitution);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, at(beforePrevious, j - 2) + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
