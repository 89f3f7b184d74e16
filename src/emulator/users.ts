/** Somebody who can sign in. All of them plainly fake, and the same in both environments. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

/** Everybody's, and shown on the login page. */
export const PASSWORD = "fake-password";

export const USERS: readonly User[] = [
  { id: "auth0|emulator-patient", email: "patient@example.com", name: "Sample Patient" },
  { id: "auth0|emulator-parent", email: "parent@example.com", name: "Sample Parent" },
  { id: "auth0|emulator-visitor", email: "visitor@example.com", name: "Sample Visitor" },
];

/** The user with this address (case does not count, as at Auth0) and password; undefined when there is none. */
export function authenticateUser(email: string, password: string): User | undefined {
  if (password !== PASSWORD) return undefined;
  const wanted = email.trim().toLowerCase();
  return USERS.find((user) => user.email === wanted);
}
