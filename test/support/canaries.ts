/** Every way in which a value could be written: plainly, encoded, in the base64 of Basic credentials of client `c`. */
export function formsOf(value: string): readonly string[] {
  const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
  const forms = [
    value,
    encodeURIComponent(value),
    new URLSearchParams({ v: value }).toString().slice(2),
    JSON.stringify(value).slice(1, -1),
    base64(value),
    Buffer.from(value).toString("base64url"),
    Buffer.from(value).toString("hex"),
  ];
  // Inside Basic credentials the client's id stands before it; which bits its base64 begins with depends on that.
  for (const prefix of ["c:", "cc:", "ccc:"]) {
    const encoded = base64(`${prefix}${encodeURIComponent(value)}`);
    forms.push(encoded, base64(`${prefix}${value}`));
  }
  return [...new Set(forms)];
}

/** The forms of these values that the text holds. */
export function findCanaries(text: string, values: Readonly<Record<string, string>>): readonly string[] {
  return Object.values(values)
    .flatMap(formsOf)
    .filter((form) => text.includes(form));
}
