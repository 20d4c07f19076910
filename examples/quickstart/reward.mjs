/**
 * Reward of an answer, at most 1: the share of digits that are there once, minus the share of extra digits and of
 * neighbours out of order.
 */
export function rewardOf(prompt, answer) {
  const wanted = digitsOf(prompt);
  const given = digitsOf(answer);
  const found = wanted.filter((digit) => given.filter((other) => other === digit).length === 1).length;
  const extra = Math.max(0, given.length - wanted.length);
  const disorder = given.filter((digit, index) => index > 0 && digit <= given[index - 1]).length;
  return (found - extra - disorder) / Math.max(1, wanted.length);
}

/** The digits of a text, one by one. */
export function digitsOf(text) {
  return text.match(/\d/g) ?? [];
}

/** The reward model `{ id: function, path: ... }` of the recipe: rewards of requests in order. */
export default function rewards(requests) {
  return requests.map(({ prompt, response }) => rewardOf(prompt.at(-1).content, response));
}
