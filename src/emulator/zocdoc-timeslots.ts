/** Start times on every weekday, in the offices' local time. */
const START_TIMES = ["09:00", "10:30", "14:00", "15:30"];

/** The emulated offices keep one offset all year; the real ones follow their time zone. */
const OFFSET = "-05:00";
const OFFSET_MS = -5 * 3_600_000;
const DAY_MS = 86_400_000;

/** How far ahead appointments are to be had (Zocdoc API, availability). */
const HORIZON_DAYS = 150;

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.0+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Today's date in the offices' local time. */
export function localDate(nowMs: number): string {
  return new Date(nowMs + OFFSET_MS).toISOString().slice(0, 10);
}

/** `YYYY-MM-DD` so many days later; undefined where `date` is no date. */
export function addDays(date: string, days: number): string | undefined {
  const dateMs = DATE.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : new Date(dateMs + days * DAY_MS).toISOString().slice(0, 10);
}

/** Every start time from `fromDate` to `toDate`, both included, that is still to come. */
export function startTimes(fromDate: string, toDate: string, nowMs: number): string[] {
  const times: string[] = [];
  for (
    let date: string | undefined = fromDate;
    date !== undefined && date <= toDate;
    date = addDays(date, 1)
  ) {
    for (const time of START_TIMES) {
      const startTime = `${date}T${time}:00${OFFSET}`;
      if (startTimeMs(startTime, nowMs) !== undefined) times.push(startTime);
    }
  }
  return times;
}

/** Unix milliseconds of a start time that can be booked, whatever offset it is written in; undefined for others. */
export function startTimeMs(startTime: unknown, nowMs: number): number | undefined {
  if (typeof startTime !== "string" || !TIME.test(startTime)) return undefined;
  const ms = Date.parse(startTime);
  if (Number.isNaN(ms) || ms <= nowMs || ms > nowMs + HORIZON_DAYS * DAY_MS) return undefined;
  const local = new Date(ms + OFFSET_MS);
  const weekday = local.getUTCDay() >= 1 && local.getUTCDay() <= 5;
  const text = local.toISOString();
  return weekday && START_TIMES.includes(text.slice(11, 16)) && text.slice(17) === "00.000Z" ? ms : undefined;
}
