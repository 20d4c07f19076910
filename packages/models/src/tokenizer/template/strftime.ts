import { TemplateUnsupported } from './template-errors.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY = 86_400_000;

const padded = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill);
const midnight = (date: Date): number => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
/** Day of the year, from 1. */
const dayOfYear = (date: Date): number => (midnight(date) - Date.UTC(date.getFullYear(), 0, 1)) / DAY + 1;
/** Week of the year that begins with its first such day of the week. */
const week = (date: Date, firstDay: number): number =>
  Math.floor((dayOfYear(date) + 6 - ((date.getDay() - firstDay + 7) % 7)) / 7);

/** Year and week of ISO 8601: the week belongs to the year of its Thursday. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(midnight(date) + (3 - ((date.getDay() + 6) % 7)) * DAY);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY / 7) + 1 };
}

const FIELDS: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getDay()]!,
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getMonth()]!,
  c: (date) => strftime(date, '%a %b %e %H:%M:%S %Y'),
  C: (date) => padded(Math.floor(date.getFullYear() / 100)),
  d: (date) => padded(date.getDate()),
  D: (date) => strftime(date, '%m/%d/%y'),
  e: (date) => padded(date.getDate(), 2, ' '),
  f: (date) => padded(date.getMilliseconds(), 3).padEnd(6, '0'),
  F: (date) => strftime(date, '%Y-%m-%d'),
  g: (date) => padded(isoWeek(date).year % 100),
  G: (date) => String(isoWeek(date).year),
  h: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  H: (date) => padded(date.getHours()),
  I: (date) => padded(date.getHours() % 12 || 12),
  j: (date) => padded(dayOfYear(date), 3),
  k: (date) => padded(date.getHours(), 2, ' '),
  l: (date) => padded(date.getHours() % 12 || 12, 2, ' '),
  m: (date) => padded(date.getMonth() + 1),
  M: (date) => padded(date.getMinutes()),
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: (date) => (date.getHours() < 12 ? 'am' : 'pm'),
  r: (date) => strftime(date, '%I:%M:%S %p'),
  R: (date) => strftime(date, '%H:%M'),
  S: (date) => padded(date.getSeconds()),
  t: () => '\t',
  T: (date) => strftime(date, '%H:%M:%S'),
  u: (date) => String(date.getDay() || 7),
  U: (date) => padded(week(date, 0)),
  V: (date) => padded(isoWeek(date).week),
  w: (date) => String(date.getDay()),
  W: (date) => padded(week(date, 1)),
  x: (date) => strftime(date, '%m/%d/%y'),
  X: (date) => strftime(date, '%H:%M:%S'),
  y: (date) => padded(date.getFullYear() % 100),
  Y: (date) => String(date.getFullYear()),
  z: () => '',
  Z: () => '',
  '%': () => '%',
};

/**
 * A date and time as Python's `strftime` writes it in the C locale, for a time without a zone; a flag of glibc (`%-d`) takes
 * the filling off.
 * @throws TemplateUnsupported for a field that is not known
 */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)(.?)/gsu, (whole, flag: string, name: string) => {
    const field = FIELDS[name]?.(date);
    if (field === undefined) throw new TemplateUnsupported(`the date field ${whole}`);
    return flag === '-' ? field.replace(/^[0 ]+(?=.)/, '') : field;
  });
}
