/** An error that the body of a reply with status 200 tells. */
export interface ToldError {
  /** Status that a reply of this meaning has; 502, which may pass, where the error does not say. */
  readonly status: number;
  /** What the reply says. */
  readonly told: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The error in a reply: `error` or `errors`, an object that says it is one, a code above 399 beside a message, or
 * `success: false`; also where every one of its `choices` has an error.
 */
export function toldError(reply: unknown): ToldError | undefined {
  if (!isFields(reply)) return undefined;
  const told = [reply.error, listed(reply.errors), errorOfChoices(reply.choices)].find(isSaid) ?? ownError(reply);
  return told === undefined ? undefined : { status: statusIn([told, reply]), told };
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSaid = (value: unknown): boolean =>
  isFields(value) ? Object.keys(value).length > 0 : Boolean(value) && !(Array.isArray(value) && value.length === 0);

const listed = (errors: unknown): unknown => (Array.isArray(errors) ? errors[0] : errors);

function errorOfChoices(choices: unknown): unknown {
  if (!Array.isArray(choices) || choices.length === 0) return undefined;
  const errors = choices.map((choice: unknown) => (isFields(choice) ? choice.error : undefined));
  return errors.every(isSaid) ? errors[0] : undefined;
}

function ownError(reply: Fields): Fields | undefined {
  const hasCode = codeIn(reply) !== undefined && typeof (reply.message ?? reply.msg ?? reply.detail) === 'string';
  return reply.object === 'error' || reply.success === false || hasCode ? reply : undefined;
}

/** Names under which a status stands. */
const CODES = ['code', 'status', 'status_code', 'statusCode', 'http_code'];

function codeIn(fields: Fields): number | undefined {
  const stated = CODES.filter((name) => Object.hasOwn(fields, name)).map((name) => fields[name]);
  // Servers write it as a number or as a text; of anything else there may be no number at all.
  const codes = stated.filter((code) => ['number', 'string'].includes(typeof code)).map(Number);
  return codes.find((code) => Number.isInteger(code) && code >= 400 && code <= 599);
}

/** What words in place of a number mean; the first that fits. */
const WORDS: readonly (readonly [pattern: RegExp, status: number])[] = [
  [/rate.?limit|too.?many|quota|throttl/i, 429],
  [/overload|unavailable|exhausted|busy|time.?out/i, 503],
  [/context.?(length|window)|too.?long|(bad|invalid).?(request|argument)|unprocessable|validation/i, 400],
  [/auth|api.?key|permission|forbidden/i, 401],
  [/not.?found|does not exist/i, 404],
];

function statusIn(sources: readonly unknown[]): number {
  const fields = sources.filter(isFields);
  const code = fields.map(codeIn).find((value) => value !== undefined);
  if (code !== undefined) return code;
  const words = [
    ...fields.flatMap(({ code, type, status }) => [code, type, status]),
    ...fields.map(({ message }) => message),
    ...sources,
  ].filter((word) => typeof word === 'string');
  return words.flatMap((word) => WORDS.find(([pattern]) => pattern.test(word))?.[1] ?? [])[0] ?? 502;
}
