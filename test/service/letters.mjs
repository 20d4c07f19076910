/** A reward for responses that any model writes: the share of vowels among its letters. */
export default function letters(rows) {
  return rows.map(({ response }) => response.replace(/[^aeiou]/g, '').length / Math.max(1, response.length));
}
