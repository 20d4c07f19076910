/** The text of a field of an object written as JSON; `undefined` where there is none. */
export function textField(json: string, name: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const field =
      typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name) : [];
    return typeof field?.[1] === 'string' ? field[1] : undefined;
  } catch {
    return undefined;
  }
}
