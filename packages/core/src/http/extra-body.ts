/** A request's body with the user's own entries in it: they replace what is there, and `null` takes an entry out. */
export function withExtraBody(
  body: Readonly<Record<string, unknown>>,
  extra: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...body, ...extra }).filter(([, value]) => value !== null));
}
