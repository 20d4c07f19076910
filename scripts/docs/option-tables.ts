import { type AnyPart, describeOptions, type OptionDescription, slotName } from '@metaapo/core/contracts';

/** A table cell; a bar would end it. */
export const cell = (text: string): string => text.replaceAll('|', '\\|');

/**
 * A table of the options of parts, as their schemas state them: of one part, or of several with their ids.
 * @param parts of one slot
 */
export function optionTable(parts: readonly AnyPart[]): string {
  const [first] = parts;
  const isOne = parts.length === 1;
  const rows = parts.flatMap((part) =>
    rowsOf(part).map((row, at) => (isOne ? row : [at === 0 ? code(part.id) : '', ...row])),
  );
  const titles = [...(isOne ? [] : [slotName(first!.slot)]), 'option', 'default', 'accepts', 'what it does'];
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rowsOf({ options }: AnyPart): readonly (readonly string[])[] {
  const described = describeOptions(options);
  if (described.length === 0) return [['no options', '', '', '']];
  return described.map((option) => [code(option.name), defaultText(option), acceptsText(option), cell(option.meaning)]);
}

function defaultText({ isRequired, default: value }: OptionDescription): string {
  if (isRequired) return 'required';
  return value === undefined ? '' : code(typeof value === 'string' ? value : JSON.stringify(value));
}

function acceptsText({ accepts, usual }: OptionDescription): string {
  return cell(usual === undefined ? accepts : `${accepts}; usually ${usual}`);
}

const code = (text: string): string => `\`${cell(text)}\``;
