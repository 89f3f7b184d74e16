/** `47 min`: two digits of it are as much as somebody in a hurry reads. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7_200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3_600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** `2 h ago`; a future time, as clocks have it at times, is just now. */
export function ago(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1_000;
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

/** `in 12 s`; what is due is not said to be late. */
export function ahead(iso: string, nowMs: number): string {
  const seconds = (Date.parse(iso) - nowMs) / 1_000;
  return seconds < 1 ? "now" : `in ${span(seconds)}`;
}

/** 1 234 567, with narrow spaces that do not break. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Three digits at most, fewer where they would say nothing. */
export function amount(value: number): string {
  if (value === 0) return "0";
  if (value < 0.1) return "< 0.1";
  return value < 10 ? String(Math.round(value * 10) / 10) : count(value);
}

export function percent(ratio: number): string {
  if (ratio > 0 && ratio < 0.001) return "< 0.1 %";
  return `${ratio < 0.1 ? Math.round(ratio * 1_000) / 10 : Math.round(ratio * 100)} %`;
}

export function latency(seconds: number | undefined): string {
  if (seconds === undefined) return "–";
  if (seconds < 0.01) return `${Math.round(seconds * 10_000) / 10} ms`;
  return seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${Math.round(seconds * 10) / 10} s`;
}

/** `1 token`, `2 tokens`. */
export function plural(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
