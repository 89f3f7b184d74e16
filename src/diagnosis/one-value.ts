/** A name or a field that was given several times says two things; the first is taken. */
export function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "object" ? value[0] : value;
}
